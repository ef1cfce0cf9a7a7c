# SPDX-License-Identifier: Apache-2.0
"""Ceph: what a host should have of each kind. See ``subject.Wants``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import flows
from ..description.services import Services
from ..model import Host, Model
from . import admin as ceph_admin
from . import cluster as the_cluster
from . import values as ceph


def ceph_access(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{host, source, port, monitors, clients: [{name, key, writes, reads}]}`` where a client of such a cluster runs.

    ``key`` is the digest of the key that it will have.
    """
    external = the_cluster.external(model)
    clients = the_cluster.uses_on(model, host)
    if not external or not clients:
        return {}
    return {
        "host": host.name,
        "source": host.addresses["storage"],
        "port": flows.port("ceph_mon"),
        "monitors": list(external["monitors"]),
        "clients": [
            {**client, "key": ceph.digest(the_cluster.key(secrets, f"client.{client['name']}"))} for client in clients
        ],
    }


def ceph_cluster(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """All of it on the first host that administers the cluster, and nothing elsewhere."""
    if host.name != the_cluster.speaker(model):
        return {}
    return the_cluster.wanted(model, services, secrets)


def ceph_mgr(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{state: auto}`` on the hosts of the managers."""
    return {"state": "auto"} if "ceph_mgr" in host.groups else {}


def ceph_mon(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{fsid, name, address, monitors: [{name, address}], port, keys: [{entity, key, caps}]}`` on a monitor's host."""
    if "ceph_mon" not in host.groups:
        return {}
    caps = {
        "mon.": ceph.MON_CAPS,
        ceph_admin.ADMIN: ceph.ADMIN_CAPS,
        the_cluster.BOOTSTRAP_OSD: ceph.BOOTSTRAP_OSD_CAPS,
    }
    return {
        "fsid": the_cluster.fsid(model, secrets),
        "name": host.name,
        "address": flows.bind_address(model, host, "ceph_mon"),
        "monitors": [
            {"name": member.name, "address": flows.bind_address(model, member, "ceph_mon")}
            for member in model.group("ceph_mon")
        ],
        "port": flows.port("ceph_mon"),
        "keys": [
            {"entity": entity, "key": the_cluster.key(secrets, entity), "caps": dict(own)}
            for entity, own in caps.items()
        ],
    }


def ceph_osd(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{fsid, host, addresses, osds, remove}``.

    ``osds`` are the entries of ceph_osds, each with the ``uuid`` that a new OSD gets; ``remove`` are UUIDs.
    """
    if "ceph_osd" not in host.groups:
        return {}
    fsid = the_cluster.fsid(model, secrets)
    return {
        "fsid": fsid,
        "host": host.name,
        "addresses": [flows.bind_address(model, host, flow) for flow in ("ceph_osd", "ceph_osd_replication")],
        "osds": [
            {"mode": "raw", **osd, "uuid": ceph.osd_uuid(fsid, host.name, osd["device"])}
            for osd in host.variables.get("ceph_osds") or ()
        ],
        "remove": [osd["uuid"] for osd in the_cluster.leaving(model, secrets)],
    }
