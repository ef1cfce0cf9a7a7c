# SPDX-License-Identifier: Apache-2.0
"""The disks that an inventory names: each subject says where, and what is true of all of them is asked here."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .draft import entries
from .schema import KeyPath, dotted


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
