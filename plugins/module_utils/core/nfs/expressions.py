# SPDX-License-Identifier: Apache-2.0
"""Files over NFS: what expressions of service descriptions may ask. See ``description.expressions``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..base.kinds import disk
from ..description.expressions import View
from . import shares


def names(view: View) -> Mapping[str, Any]:
    """Shares, as units mount them."""

    def nfs_mount(share: str, where: str) -> dict[str, str]:
        """``{unit, content}`` of the unit that mounts a share."""
        options = str(view.model.variables["nfs_mount_options"])
        return {
            "unit": disk.unit_name(where),
            "content": shares.mount_unit(shares.source(view.model, share), where, options),
        }

    return {
        "nfs_mount": nfs_mount,
        "nfs_mount_units": nfs_mount_units,
    }


def nfs_mount_units(stores: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The entries in ``units`` of what is mounted: of each ``{nfs, path}`` with a share."""
    units = [disk.unit_name(store["path"]) for store in stores if store.get("nfs")]
    return [{"name": unit, "files": [f"/etc/systemd/system/{unit}"], "packages": []} for unit in units]
