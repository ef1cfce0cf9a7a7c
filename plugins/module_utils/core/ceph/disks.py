# SPDX-License-Identifier: Apache-2.0
"""The disks of OSDs in a host's variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..inventory.disks import Disk
from ..inventory.draft import entries
from ..inventory.schema import KeyPath
from . import values as ceph


def disks(variables: Mapping[str, Any]) -> Iterator[Disk]:
    """Each device of each entry of ceph_osds. Only the first is given up by ``wipe``."""
    for index, osd in entries(variables.get("ceph_osds")):
        for option, _, _ in ceph.OSD_PARTS:
            if isinstance(device := osd.get(option), str):
                path: KeyPath = ("ceph_osds", index, option)
                yield Disk(device, path, "ceph", "ceph_osd", wipe=osd.get("wipe") if option == "device" else None)
