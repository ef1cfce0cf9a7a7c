# SPDX-License-Identifier: Apache-2.0
"""Names of Ceph's users that no tenant may get, although nobody has them yet (OSSN-0085, OSSN-0087).

Who may use native CephFS chooses the user that gets in. Ceph refuses a name that somebody else made: that is so of
every client of this deployment. A service that comes later would find its name taken by a tenant, who knows its key.
So such names exist from the start, with keys that nobody is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ceph import cluster, values
from ..model import Host, Model
from .backends import backends

NAMES = (
    "cinder", "cinder-backup", "crash", "glance", "gnocchi", "libvirt", "manila", "nova", "openstack", "radosgw", "rgw",
    "swift",
)  # fmt: skip
ROOT = "ceph_daemons_root_secret"
CAPS = {"mon": "allow r"}
"""Ceph has no user without any right: it could ask what the cluster's map is, if anybody had its key."""


def keys(model: Model, host: Host, services: Any, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{keys: [{entity, key, caps}]}`` for the host that speaks to the cluster; see ``Subject.wants``."""
    if host.name != cluster.speaker(model) or cluster.external(model):
        return {}
    if not any(entry["type"] == "cephfs" for _, entry in backends(model)):
        return {}
    taken = {client["name"] for client in cluster.client_rights(model)}
    root = secrets[ROOT]
    entities = [f"client.{name}" for name in NAMES if name not in taken]
    return {
        "keys": [{"entity": one, "key": values.derived_key(root, f"reserved {one}"), "caps": CAPS} for one in entities]
    }
