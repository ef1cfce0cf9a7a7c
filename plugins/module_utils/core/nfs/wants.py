# SPDX-License-Identifier: Apache-2.0
"""Files over NFS: what a host should have of each kind. See ``subject.Wants``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base.kinds import disk as disks
from ..description.services import Services
from ..inventory.disks import name as named
from ..model import Host, Model
from . import shares as nfs


def disk(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The disks of nfs_disks for a host of nfs_server."""
    if "nfs_server" not in host.groups:
        return {}
    found = []
    for place, disk in enumerate(host.variables.get("nfs_disks") or ()):
        name = named(disk, place)
        found.append(disks.wanted(model.deployment, host.name, disk, f"nfs/{name}", nfs.mount_point(name), "root"))
    return {"disks": found} if found else {}


def nfs_export(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{exports: [{path, disk, owner, clients, options}]}`` of the shares of a host of nfs_server."""
    exports = nfs.exports(model, host)
    return {"exports": exports} if exports else {}
