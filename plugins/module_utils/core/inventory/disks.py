# SPDX-License-Identifier: Apache-2.0
"""The disks that an inventory names: each subject says where, and what is true of all of them is asked here."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .draft import entries
from .schema import KeyPath, dotted

# Folders of /dev in which what follows is no logical volume.
_NO_GROUPS = "block|bsg|bus|cciss|char|cpu|disk|dri|drbd|fd|ida|input|mapper|md|net|pts|rbd|rd|shm|snd|vfio|zd|zvol"
_LOGICAL_VOLUME = re.compile(rf"/dev/(?!(?:{_NO_GROUPS})/)([^/]+)/([^/]+)")
_BY_ID = "/dev/disk/by-id/"
_MAPPED = re.compile(rf"(?:{_BY_ID}dm-name-|/dev/mapper/)(.+)")
# A path of one device by its port, with and without the device's number there; a disk with and without its name space.
_AGAIN = re.compile(
    r"(/dev/disk/by-path/.+-ata-\d+)\.0(-part\d+)?|(/dev/disk/by-id/nvme-(?!eui\.|uuid\.).+)_1(-part\d+)?"
)
_ARRAY = re.compile(rf"(?:{_BY_ID}md-name-(?:[^/:]+:)?|/dev/md/)(.+)")
# A disk and the paths to it have one number: as a disk's of SCSI or NVMe, and as that of its paths together.
_NUMBERED = re.compile(
    rf"(?:{_BY_ID}(?:wwn-0x|scsi-3|dm-uuid-(?:part(?P<part>\d+)-)?mpath-3|dm-name-3)|/dev/mapper/3)"
    r"(?P<number>[0-9a-f]{16}(?:[0-9a-f]{16})?)(?P<end>-part\d+)?"
)
_NAMED = re.compile(
    rf"(?:{_BY_ID}(?:nvme-|dm-uuid-(?:part(?P<part>\d+)-)?mpath-|dm-name-)|/dev/mapper/)"
    r"(?P<number>(?:eui|uuid)\.[0-9a-f-]+?)(?P<end>-part\d+)?"
)


def identity(device: str) -> str:
    """One text for the names of one disk, as far as names tell: of device-mapper, of several paths, of an array.

    The end of a partition's name is ``-partN``.
    """
    path = posixpath.normpath(device)
    for pattern in (_NUMBERED, _NAMED):
        if match := pattern.fullmatch(path):
            part = f"-part{match['part']}" if match["part"] else match["end"] or ""
            return f"{match['number']}{part}"
    if match := _AGAIN.fullmatch(path):
        return "".join(part for part in match.groups() if part)
    if match := _MAPPED.fullmatch(path):
        return f"/dev/mapper/{match[1]}"
    if match := _ARRAY.fullmatch(path):
        return f"/dev/md/{match[1]}"
    if match := _LOGICAL_VOLUME.fullmatch(path):
        group, volume = (name.replace("-", "--") for name in match.groups())
        return f"/dev/mapper/{group}-{volume}"
    return path


@dataclass(frozen=True)
class Disk:
    """A disk, where a host's variables name it.

    Attributes:
        device: its path, as it is given.
        path: where it stands in the variables.
        subject: what findings about it begin with: ``swift`` of ``swift.disk-twice``.
        group: the hosts of this group use it.
        purpose: what it is for, where several entries may name it for the same; else it is for its entry.
        name: what people and mounts call it; empty when only its path does.
        wipe: what the entry gives up: the path once more, or something else by mistake.
    """

    device: str
    path: KeyPath
    subject: str
    group: str
    purpose: str = ""
    name: str = ""
    wipe: str | None = None

    @property
    def plain(self) -> str:
        """The path without needless slashes."""
        return posixpath.normpath(self.device)

    @property
    def identity(self) -> str:
        """What is the same for each of the disk's names."""
        return identity(self.device)

    @property
    def holder(self) -> str:
        """What has the disk, for a sentence."""
        return self.purpose or dotted(self.path)


Disks = Callable[[Mapping[str, Any]], Iterator[Disk]]
"""The disks that a subject finds in a host's variables, checked or not: what is incomplete is left out."""


def name(entry: Mapping[str, Any], place: int) -> str:
    """The name of a disk with a file system, by its place in the list (from 0) when it has no label."""
    return str(entry.get("label") or f"d{place + 1}")


def labelled(variables: Mapping[str, Any], variable: str, subject: str, group: str) -> Iterator[Disk]:
    """The disks of a list of ``{device, label?, wipe?}``."""
    for index, entry in entries(variables.get(variable)):
        if isinstance(device := entry.get("device"), str):
            where: KeyPath = (variable, index, "device")
            yield Disk(device, where, subject, group, name=name(entry, index), wipe=entry.get("wipe"))
