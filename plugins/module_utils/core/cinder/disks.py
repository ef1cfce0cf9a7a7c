# SPDX-License-Identifier: Apache-2.0
"""The disks of volume groups in a host's variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..inventory.disks import Disk
from ..inventory.draft import entries
from ..inventory.schema import KeyPath


def disks(variables: Mapping[str, Any]) -> Iterator[Disk]:
    """The devices of back ends that have volume groups. Several back ends may name them for one group."""
    for index, backend in entries(variables.get("cinder_backends")):
        purpose = f"the volume group {backend.get('volume_group')}"
        for place, device in enumerate(backend.get("devices") or () if backend.get("type") == "lvm" else ()):
            if isinstance(device, str):
                path: KeyPath = ("cinder_backends", index, "devices", place)
                yield Disk(device, path, "lvm", "cinder_volume", purpose)
