# SPDX-License-Identifier: Apache-2.0
"""Rules about disks, whoever uses them: names that stay, each used for one thing, as a whole or in part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...errors import Finding
from ..disks import Disk, Disks
from ..draft import Draft, DraftHost, Rule
from ..schema import KeyPath, dotted

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


def about(handed_in: Iterable[Disks]) -> Rule:
    """The rule about the disks that the subjects find in a host's variables."""
    finders = tuple(handed_in)

    def disks(draft: Draft) -> Iterator[Finding]:
        for host in draft.hosts.values():
            used = [disk for find in finders for disk in find(host.variables) if disk.group in host.groups]
            for check in (_names, _twice, _wipes, _parts):
                yield from check(draft, host, used)

    return disks


def _names(draft: Draft, host: DraftHost, used: list[Disk]) -> Iterator[Finding]:
    """Disks have names that stay."""
    for disk in used:
        if reason := _unfit_name(disk.plain, host.variables.get("holdfast_host_kind") == "metal"):
            what, fix = reason
            yield draft.error(f"{disk.subject}.disk-name", disk.path, f"is {disk.plain!r}{what}", fix, host)


def _unfit_name(device: str, metal: bool) -> tuple[str, str] | None:
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
    if re.fullmatch(r"/dev/loop\d+", device) and metal:
        return (
            ", a loop device: it is not there after a reboot.",
            "Give a disk. Loop devices are for containers (holdfast_host_kind: container).",
        )
    return None


def _twice(draft: Draft, host: DraftHost, used: list[Disk]) -> Iterator[Finding]:
    """Each disk is for one thing, and has a name of its own in its list."""
    holders: dict[str, str] = {}
    named: dict[tuple[str | int, str], Disk] = {}
    for disk in used:
        code = f"{disk.subject}.disk-twice"
        if (other := holders.setdefault(disk.identity, disk.holder)) != disk.holder:
            what = f"is {disk.plain!r}, which is given to {other} too."
            fix = "Give each disk to one thing. To share a disk, partition it and name the partitions."
            yield draft.error(code, disk.path, what, fix, host)
        first = named.setdefault((disk.path[0], disk.name.lower()), disk) if disk.name else disk
        if first is not disk:
            what = f"is {disk.name!r}, as of {dotted(first.path)}."
            yield draft.error(code, _beside(disk, "label"), what, "Give each disk a name of its own.", host)


def _wipes(draft: Draft, host: DraftHost, used: list[Disk]) -> Iterator[Finding]:
    """What a disk holds is given up when ``wipe`` names it word for word."""
    for disk in used:
        if disk.wipe is not None and disk.wipe != disk.device:
            yield draft.error(
                f"{disk.subject}.wipe",
                _beside(disk, "wipe"),
                f"is {disk.wipe!r}, which is not the device.",
                f"Repeat the device word for word: wipe: {disk.device}, or take it out.",
                host,
            )


def _beside(disk: Disk, key: str) -> KeyPath:
    return (*disk.path[:-1], key)


def _parts(draft: Draft, host: DraftHost, used: list[Disk]) -> Iterator[Finding]:
    """A disk is used as a whole, or its partitions are."""
    whole = {disk.identity: disk.path for disk in used}
    for disk in used:
        parent = _PART.sub("", disk.identity)
        if parent != disk.identity and parent in whole:
            yield draft.error(
                "disks.part",
                disk.path,
                f"is {disk.plain!r}, a partition of {dotted(whole[parent])}, which is used as a whole.",
                "Use the whole disk once, or only partitions of it.",
                host,
            )
