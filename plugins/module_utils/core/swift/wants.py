# SPDX-License-Identifier: Apache-2.0
"""Object storage: what a host should have of each kind. See ``subject.Wants``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import flows
from ..base.kinds import disk as disks
from ..description.services import Services
from ..inventory.disks import name as named
from ..model import Host, Model

ROOT = "/srv/node"
"""Below it each disk is mounted by its name."""


def disk(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The disks of swift_disks for a host of swift_storage."""
    if "swift_storage" not in host.groups:
        return {}
    found = []
    for place, disk in enumerate(host.variables.get("swift_disks") or ()):
        name = named(disk, place)
        found.append(disks.wanted(model.deployment, host.name, disk, name, f"{ROOT}/{name}", "swift"))
    return {"disks": found} if found else {}


def swift_ring(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """Rings account, container, and one for each storage policy, for the hosts that need them."""
    swift_hosts = [member.name for member in (*model.group("swift_proxy"), *model.group("swift_storage"))]
    if host.name not in swift_hosts:
        return {}
    variables = host.variables
    return {
        "rings": _wanted_rings(model, variables),
        "remove": list(variables.get("swift_remove_devices") or ()),
        "move_limit_percent": variables["swift_move_limit_percent"],
        "hosts": list(dict.fromkeys(swift_hosts)),
        "host": host.name,
    }


def _wanted_rings(model: Model, variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    def ring(name: str, service: str, replicas: int, policy: str | None = None, erasure_coded: bool = False) -> Any:
        ports = {"port": flows.port(f"swift_{service}"), "replication_port": flows.port(f"swift_{service}_replication")}
        return {
            "name": name,
            "part_power": variables["swift_part_power"],
            "replicas": replicas,
            "min_part_hours": variables["swift_min_part_hours"],
            "erasure_coded": erasure_coded,
            "devices": [
                {**device, **ports} for storage in model.group("swift_storage") for device in _devices(storage, policy)
            ],
        }

    result = [ring(name, name, variables["swift_replicas"]) for name in ("account", "container")]
    for policy in variables["swift_policies"]:
        coded = policy.get("type") == "erasure_coding"
        copies = policy["ec_data_fragments"] + policy["ec_parity_fragments"] if coded else policy.get("replicas", 3)
        name = "object" if policy["index"] == 0 else f"object-{policy['index']}"
        result.append(ring(name, "object", copies, policy["name"], coded))
    return result


def _devices(host: Host, policy: str | None) -> Iterator[dict[str, Any]]:
    for place, disk in enumerate(host.variables.get("swift_disks") or ()):
        name = named(disk, place)
        if policy is None or policy in (disk.get("policies") or (policy,)):
            yield {
                "name": f"{host.name}/{name}",
                "device": name,
                "region": host.variables.get("swift_region", 1),
                "zone": disk.get("zone", host.variables.get("swift_zone")),
                "ip": host.addresses["storage"],
                "replication_ip": host.addresses["repl"],
                "weight": disk.get("weight", 100),
            }


def swift_ring_copy(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """What ``swift_ring`` wants: the copies are of its rings."""
    return swift_ring(model, host, services, secrets)
