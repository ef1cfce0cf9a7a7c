# SPDX-License-Identifier: Apache-2.0
"""Ceph: what expressions of service descriptions may ask. See ``description.expressions``."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from ..description.expressions import View
from . import cluster


def names(view: View) -> Mapping[str, Any]:
    """The cluster, and the keys of its clients on the host."""
    return {
        "ceph_fsid": lambda: cluster.fsid(view.model, view.secrets),
        "ceph_monitors": lambda: cluster.mon_host(view.model),
        "ceph_users": lambda: cluster.users(view.model, view.host),
        "ceph_crush_location": lambda: cluster.crush_location(view.host),
        "ceph_sections": lambda overrides: cluster.sections(view.model, view.host, overrides),
        "ceph_keyring": lambda entity: cluster.keyring(view.model, view.secrets, entity),
        "ceph_key": lambda entity: cluster.key(view.secrets, entity),
        "ceph_secret_uuid": lambda user: secret_uuid(view.model.deployment, user),
        "ceph_inputs": ceph_inputs,
    }


def secret_uuid(deployment: str, user: str) -> str:
    """The name under which libvirt knows the key of a client, the same on all hosts: instances carry it along."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"holdfast:{deployment}/ceph.client.{user}"))


def ceph_inputs(clients: Iterable[str]) -> list[str]:
    """The files that a unit reads which is these clients of Ceph; none without a client."""
    keyrings = [f"/etc/ceph/ceph.client.{name}.keyring" for name in clients]
    return ["/etc/ceph/ceph.conf", *keyrings] if keyrings else []
