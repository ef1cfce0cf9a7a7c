# SPDX-License-Identifier: Apache-2.0
"""Hosts that switch for instances: what moves their packets, on what, and how large they may be."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from .. import flows
from ..flows import network_of
from ..model import Host, Model, Network
from ..networks.networkd import vlan_name

GROUP = "ovn_chassis"
GATEWAYS = "neutron_gateway"
TUNNELS = "ovn_geneve"
OVERLAY = "overlay"
PROVIDERS = "neutron_provider_networks"

OVERHEAD = 58
"""Bytes that a tunnel adds to a packet over IPv4: Ethernet 14, Geneve 16 with OVN's option, UDP 8, IPv4 20."""


def datapath(variables: Mapping[str, Any]) -> str:
    """What moves packets on a host, as the switch calls it: ``system`` is the kernel, ``netdev`` the switch itself."""
    chosen = variables.get("openvswitch_datapath") or "auto"
    if chosen == "auto":
        chosen = "netdev" if variables.get("holdfast_host_kind") == "container" else "kernel"
    return "system" if chosen == "kernel" else str(chosen)


def switched(variables: Mapping[str, Any], groups: Collection[str]) -> tuple[str, ...]:
    """The networks whose bridge the switch makes: a switch that is a process takes tunnels from a bridge of its own."""
    return (OVERLAY,) if GROUP in groups and datapath(variables) == "netdev" else ()


def name(model: Model, host: Host) -> str:
    """The host's name among those that switch for instances."""
    given = host.variables.get("openvswitch_system_id")
    return str(given or uuid.uuid5(uuid.NAMESPACE_URL, f"holdfast:{model.deployment}/{host.name}"))


def underlay(model: Model) -> Network:
    """The network that carries the tunnels."""
    return model.networks[network_of(flows.flow(TUNNELS), model.networks)]


def path_mtu(model: Model) -> int:
    """The largest packet of a tunnel, with all that the tunnel adds, in bytes."""
    given = model.variables.get("neutron_overlay_mtu")
    return int(given) + OVERHEAD if given else underlay(model).mtu


def physical_networks(model: Model) -> dict[str, int]:
    """The physical networks of all hosts, with the largest packet of each in bytes, by name."""
    found: dict[str, int] = {}
    for host in model.group(GROUP):
        for physical, port in (host.variables.get(PROVIDERS) or {}).items():
            found[physical] = min(port.get("mtu") or 1500, found.get(physical, port.get("mtu") or 1500))
    return dict(sorted(found.items()))


def provider_bridge(physical: str) -> str:
    """The bridge that the switch makes for a physical network."""
    return f"br-{physical}"


def provider_link(port: Mapping[str, Any]) -> str:
    """The link that the switch takes for a physical network."""
    return vlan_name(port["interface"], port["vlan"]) if port.get("vlan") else str(port["interface"])
