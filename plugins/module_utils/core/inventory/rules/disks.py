# SPDX-License-Identifier: Apache-2.0
"""Rules about disks, whoever uses them: names that stay, and no disk used both as a whole and in part."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import Finding
from ..draft import Draft, DraftHost, entries, rule
from ..schema import KeyPath, dotted

# Where a host's disks are given: variable, the keys of its entries that name one or several, the group that uses them.
_USES = (
    ("swift_disks", ("device",), "swift_storage"),
    ("ceph_osds", ("device", "db_device", "wal_device"), "ceph_osd"),
    ("nfs_disks", ("device",), "nfs_server"),
    ("cinder_backends", ("devices",), "cinder_volume"),
)

# Names that the kernel gives in the order in which it finds disks.
_UNSTABLE = re.compile(
    r"/dev/(?:(?:sd|vd|hd|xvd)[a-z]+\d*|dasd[a-z]+\d*|nvme\d+(?:c\d+)?n\d+(?:p\d+)?|(?:mmcblk|nbd|rbd|bcache)\d+(?:p\d+)?"
    r"|(?:pmem|zd)\d+s?(?:p\d+)?|dm-\d+|md\d+(?:p\d+)?|sr\d+|sg\d+|block/\d+:\d+|disk/by-diskseq/.+)"
)
_NO_DISK = re.compile(
    r"/dev/(?:null|zero|full|root|u?random|k?mem|port|kmsg|console|tty.*|fd\d*|fd/.*|std(?:in|out|err)|n?st\d+|cdrom.*|dvd.*"
    r"|z?ram\d+|shm(?:/.*)?|pts(?:/.*)?|disk|disk/[^/]+|mapper|mapper/control|loop-control|char/.*|input/.*|bus/.*|net/.*"
    r"|mqueue(?:/.*)?|hugepages(?:/.*)?)"
)
_OF_CONTENT = re.compile(r"/dev/disk/by-(label|uuid)/.+")
_PART = re.compile(r"-part\d+$")


def unfit_name(device: str, container: bool) -> tuple[str, str] | None:
    """Why a normalised path may not name a disk, and what to give instead; None when it may."""
    by_id = "Give its name under /dev/disk/by-id or by-path; `ls -l /dev/disk/by-id` there shows it."
    if _UNSTABLE.fullmatch(device):
        return (
            ": the kernel gives such names in the order of finding, so that it may mean another disk after a reboot.",
            by_id,
        )
    if _NO_DISK.fullmatch(device):
        return ", which is no disk that keeps data.", by_id
    if _OF_CONTENT.fullmatch(device):
        return ", a name of the file system on the disk: it is gone when the disk is prepared.", by_id
    if re.fullmatch(r"/dev/loop\d+", device) and not container:
        return (
            ", a loop device: it is not there after a reboot.",
            "Give a disk. Loop devices are for containers (holdfast_host_kind: container).",
        )
    return None


def other_wipe(draft: Draft, code: str, path: KeyPath, disk: Mapping[str, Any], host: DraftHost) -> Iterator[Finding]:
    """What a disk holds is given up when ``wipe`` names it word for word. ``path`` is that of the disk's entry."""
    if "wipe" in disk and "device" in disk and disk["wipe"] != disk["device"]:
        yield draft.error(
            code,
            (*path, "wipe"),
            f"is {disk['wipe']!r}, which is not the device.",
            f"Repeat the device word for word: wipe: {disk['device']}, or take it out.",
            host,
        )


@rule
def parts(draft: Draft) -> Iterator[Finding]:
    """A disk is used as a whole, or its partitions are."""
    for host in draft.hosts.values():
        uses = list(used(host))
        whole = {device: path for path, device in uses}
        for path, device in uses:
            parent = _PART.sub("", device)
            if parent != device and parent in whole:
                yield draft.error(
                    "disks.part",
                    path,
                    f"is {device!r}, a partition of {dotted(whole[parent])}, which is used as a whole.",
                    "Use the whole disk once, or only partitions of it.",
                    host,
                )


def used(host: DraftHost) -> Iterator[tuple[KeyPath, str]]:
    """The disks that a host uses, whatever for: where each is given, and its path, normalised."""
    for variable, keys, group in _USES:
        for index, entry in entries(host.variables.get(variable) if group in host.groups else ()):
            for key in keys:
                path: KeyPath = (variable, index, key)
                given = entry.get(key)
                for place, device in enumerate(given) if isinstance(given, list) else [(None, given)]:
                    if isinstance(device, str):
                        yield path if place is None else (*path, place), posixpath.normpath(device)
