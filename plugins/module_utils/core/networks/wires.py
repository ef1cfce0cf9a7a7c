# SPDX-License-Identifier: Apache-2.0
"""What a network's packets pass on a host in the end, by whatever name an interface goes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..model import Host, Network
from .networkd import vlan_name

Ports = Mapping[str, Mapping[str, Any]]
"""What carries each network of a host, as ``networks_ports`` has it."""

_TAGGED = re.compile(r"(.+)\.[0-9]{1,4}")
# As provisionings call VLANs, the parent left out.
_NAMELESS = re.compile(r"vl(an)?[-_.]?[0-9]*", re.IGNORECASE)


def parents(name: str) -> Iterator[str]:
    """The interfaces over which a VLAN's is made, by its name: ``eth1`` of ``eth1.248``."""
    while match := _TAGGED.fullmatch(name):
        name = match[1]
        yield name


def tells_no_wire(name: str) -> bool:
    """Whether a name is that of a VLAN alone, such as ``vlan248``, which may be on any wire."""
    return bool(_NAMELESS.fullmatch(name))


def witness(host: Host, network: Network) -> str:
    """The link whose statistics have every byte that the host has on a network.

    That is the bridge; where a switch in userspace makes that, it is the bridge's port.
    """
    if network.name not in host.switched:
        return network.bridge
    port = host.ports[network.name]
    carrier = _carrier(port)
    return vlan_name(carrier, port["vlan"]) if port.get("vlan") else carrier


def of(ports: Ports) -> dict[str, set[str]]:
    """The lowest interfaces under each network, as far as names tell."""
    bonds: dict[str, list[str]] = {}
    carriers: dict[str, str] = {}
    for port in ports.values():
        carrier = _carrier(port)
        if isinstance(bond := port.get("bond"), dict) and carrier:
            bonds[carrier] = [str(member) for member in bond.get("interfaces") or () if member]
        if carrier and port.get("vlan"):
            carriers[vlan_name(carrier, port["vlan"])] = carrier

    def lowest(name: str, above: frozenset[str] = frozenset()) -> set[str]:
        below = bonds.get(name) or ([carriers[name]] if name in carriers else list(parents(name))[:1])
        known = above | {name}
        return {wire for one in below if one not in known for wire in lowest(one, known)} or {name}

    return {network: lowest(carrier) for network, port in ports.items() if (carrier := _carrier(port))}


def _carrier(port: Mapping[str, Any]) -> str:
    bond = port.get("bond")
    return str((bond.get("name") if isinstance(bond, dict) else port.get("interface")) or "")
