# SPDX-License-Identifier: Apache-2.0
"""Volumes: which of OpenStack's own tests concern them, and what those are told."""

from __future__ import annotations

from ..model import Model
from ..verify.tempest import RealmTests, Sections
from . import backends

# How tempest calls the way to volumes, by the type of the back end.
_PROTOCOLS = {"rbd": "ceph", "nfs": "nfs"}


def sections(model: Model) -> Sections:
    """See ``RealmTests``."""
    types = [backend["type"] for _, backend in backends.backends(model)]
    return {
        "volume": {
            "catalog_type": "block-storage",
            "region": str(model.variables["holdfast_region"]),
            "max_microversion": "latest",
            "storage_protocol": _PROTOCOLS.get(types[0], "iSCSI") if types else "ceph",
            "build_interval": 1,
            "build_timeout": 300,
        },
        "volume-feature-enabled": {
            "backup": bool(model.group("cinder_backup")),
            "snapshot": True,
            "clone": True,
            "multi_backend": False,
            "extend_attached_volume": False,
            "manage_volume": False,
            "manage_snapshot": False,
            "consistency_group": False,
            "volume_revert": False,
        },
        # Each role has the rights of cinder's own new defaults, and no more.
        "enforce_scope": {"cinder": True},
    }


TESTS = RealmTests(
    "block",
    "volume",
    sections,
    service="cinder",
    # Its scenarios attach volumes to instances.
    plugins=("cinder_tempest_plugin.api", "cinder_tempest_plugin.rbac"),
)
