# SPDX-License-Identifier: Apache-2.0
"""Rules about networks: their ranges, what carries them on each host, and addresses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from typing import Any

from ..errors import Finding
from ..schema import KeyPath, ipv4, ipv4_network
from . import Draft, DraftHost, DraftNetwork, entries, listed, rule

BRIDGES = "networks_bridges"
PORTS = "networks_ports"
ADDRESSES = "networks_addresses"

_UNFIT = {
    IPv4Network("0.0.0.0/8"): "this network",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("169.254.0.0/16"): "link-local",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "reserved",
}


# -- ranges -------------------------------------------------------------------------------------------------------


@rule
def ranges(draft: Draft) -> Iterator[Finding]:
    """Networks have room for hosts, in ranges that hosts may use."""
    for network in draft.networks.values():
        path = (BRIDGES, network.name, "cidr")
        if network.cidr.prefixlen > 30 or network.cidr.prefixlen < 8:
            yield draft.error(
                "networks.size",
                path,
                f"{network.cidr} has {'no room for two hosts' if network.cidr.prefixlen > 30 else 'no real size'}.",
                "Give a prefix length from 8 to 30.",
            )
        for unfit, purpose in _UNFIT.items():
            if network.cidr.overlaps(unfit) and network.cidr.prefixlen >= 4:
                yield draft.error(
                    "networks.range", path, f"{network.cidr} is {purpose}.", "Give a network that hosts may use."
                )


@rule
def overlaps(draft: Draft) -> Iterator[Finding]:
    """Networks share neither addresses nor bridges."""
    for one, two in combinations(draft.networks.values(), 2):
        if one.cidr.overlaps(two.cidr):
            how = "is the same as" if one.cidr == two.cidr else "overlaps"
            yield draft.error(
                "networks.overlap",
                (BRIDGES, two.name, "cidr"),
                f"{two.cidr} {how} {one.cidr} of {one.name}: traffic of one could not be told from the other's.",
                f"Give {one.name} and {two.name} ranges apart.",
            )
        if one.bridge == two.bridge:
            yield draft.error(
                "networks.bridge-twice",
                (BRIDGES, two.name, "bridge"),
                f"{two.bridge} is also the bridge of {one.name}.",
                "Give each network a bridge of its own.",
            )


@rule
def gateways(draft: Draft) -> Iterator[Finding]:
    """At most one network has a gateway, which is an address of it."""
    having = [network for network in draft.networks.values() if network.gateway]
    for network in having:
        yield from _router(draft, network, (BRIDGES, network.name, "gateway"), network.gateway)
    if len(having) > 1:
        yield draft.error(
            "networks.gateways",
            (BRIDGES, having[-1].name, "gateway"),
            f"{', '.join(network.name for network in having)} all have a gateway: a host has one default route.",
            "Leave it to one network, usually mgmt, and give the others routes.",
        )


@rule
def routes(draft: Draft) -> Iterator[Finding]:
    """Routes lead through a router on their network, to networks that are elsewhere."""
    seen: dict[IPv4Network, str] = {}
    for network in draft.networks.values():
        for index, route in entries(network.content.get("routes")):
            path = (BRIDGES, network.name, "routes", index)
            if "via" in route:
                yield from _router(draft, network, (*path, "via"), ipv4(route["via"]))
            if "to" not in route:
                continue
            to = ipv4_network(route["to"])
            if to.prefixlen == 0:
                yield draft.error(
                    "networks.route", (*path, "to"), "0.0.0.0/0 is the default route.", "Use gateway for it."
                )
                continue
            for other in draft.networks.values():
                if to.overlaps(other.cidr):
                    yield draft.error(
                        "networks.route",
                        (*path, "to"),
                        f"{to} overlaps {other.cidr} of {other.name}, which hosts reach directly.",
                        "Take the route out, or narrow it.",
                    )
            if to in seen:
                yield draft.error(
                    "networks.route", (*path, "to"), f"{to} already has a route on {seen[to]}.", "Take one of them out."
                )
            seen[to] = network.name


@rule
def pools(draft: Draft) -> Iterator[Finding]:
    """Pools are inside their network."""
    for network in draft.networks.values():
        if not network.pool:
            continue
        path = (BRIDGES, network.name, "pool")
        first, last = network.pool
        outside = [str(address) for address in network.pool if address not in network.cidr]
        if outside:
            yield draft.error(
                "networks.pool",
                path,
                f"{listed(outside)} {'is' if len(outside) == 1 else 'are'} outside {network.cidr}.",
                f"Give addresses of {network.cidr}.",
            )
        elif first > last:
            yield draft.error("networks.pool", path, f"{first} comes after {last}.", f"Write it as [{last}, {first}].")


def _router(draft: Draft, network: DraftNetwork, path: KeyPath, address: IPv4Address | None) -> Iterator[Finding]:
    if address is None:
        return
    if reason := _unusable(network, address):
        yield draft.error(
            "networks.gateway", path, f"{address} {reason}.", f"Give a router's address in {network.cidr}."
        )
    for host in draft.hosts.values():
        if network.name in host.ports and draft.given_address(host, network.name) == str(address):
            yield draft.error(
                "networks.gateway-taken",
                path,
                f"{address} is also the address of {host.name}.",
                "Give the router's own address, or another one to the host.",
            )


def _unusable(network: DraftNetwork, address: IPv4Address) -> str | None:
    if address not in network.cidr:
        return f"is outside {network.cidr}, the network {network.name}"
    if address == network.cidr.network_address:
        return f"is the network address of {network.cidr}"
    if address == network.cidr.broadcast_address:
        return f"is the broadcast address of {network.cidr}"
    return None


# -- addresses ----------------------------------------------------------------------------------------------------


@rule
def addresses(draft: Draft) -> Iterator[Finding]:
    """A host's addresses are in their networks and its own."""
    owners: dict[tuple[str, str], str] = {}
    for name, host in sorted(draft.hosts.items()):
        for network in draft.networks.values():
            given = draft.given_address(host, network.name)
            path: KeyPath = (ADDRESSES, network.name)
            if network.name == "mgmt" and "mgmt" not in (host.variables.get(ADDRESSES) or {}):
                path = ("ansible_host",)
            elif given and network.name not in host.ports:
                yield draft.error(
                    "networks.address-without-port",
                    path,
                    f"{given} is given, and the host has no port on {network.name}.",
                    f"Give networks_ports.{network.name}, or take the address out.",
                    host,
                )
                continue
            if not given or network.name not in host.ports:
                continue
            if reason := _unusable(network, ipv4(given)):
                yield draft.error(
                    "networks.address", path, f"{given} {reason}.", f"Give a host's address in {network.cidr}.", host
                )
            other = owners.setdefault((network.name, given), name)
            if other != name:
                yield draft.error(
                    "networks.address-twice",
                    path,
                    f"{given} is also the address of {other} on {network.name}.",
                    "Give each host an address of its own.",
                    host,
                )
        for unknown in sorted(set(host.variables.get(ADDRESSES) or {}) - set(_named(draft))):
            yield _no_network(draft, (ADDRESSES, unknown), unknown, host)


@rule
def virtual_address(draft: Draft) -> Iterator[Finding]:
    """The load balancer's address is on mgmt, and nobody else's."""
    address, mgmt = draft.virtual_address, draft.networks.get("mgmt")
    if not address or not mgmt:
        return
    path = ("haproxy_address",)
    if reason := _unusable(mgmt, address):
        yield draft.error(
            "networks.virtual-address", path, f"{address} {reason}.", f"Give a free address in {mgmt.cidr}."
        )
    if address == mgmt.gateway:
        yield draft.error(
            "networks.virtual-address",
            path,
            f"{address} is the gateway of mgmt.",
            f"Give a free address in {mgmt.cidr}.",
        )
    public = str(draft.variables.get("haproxy_name", "")).lower()
    for name, host in sorted(draft.hosts.items()):
        if public == name.lower():
            yield draft.error(
                "networks.virtual-address",
                ("haproxy_name",),
                f"is {public!r}, the name of a host: it has to resolve to {address}.",
                "Give a name of its own.",
            )
        if host.mgmt_address == str(address):
            yield draft.error(
                "networks.virtual-address",
                path,
                f"{address} is the address of {name}: it has to move between load balancers and belongs to no host.",
                f"Give a free address in {mgmt.cidr}.",
            )


# -- ports --------------------------------------------------------------------------------------------------------


@rule
def ports(draft: Draft) -> Iterator[Finding]:
    """A port is an interface or a bond, of a network that is there."""
    for host in draft.hosts.values():
        for name, port in host.ports.items():
            path = (PORTS, name)
            if name not in _named(draft):
                yield _no_network(draft, path, name, host)
            if "interface" in port and "bond" in port:
                yield draft.error("networks.port", path, "has both interface and bond.", "Give one of them.", host)
            elif not _carrier(port) and not draft.was_refused(path, host):
                yield draft.error("networks.port", path, "has neither interface nor bond.", "Give one of them.", host)


@rule
def sharing(draft: Draft) -> Iterator[Finding]:
    """What networks of a host share an interface, they share by VLANs."""
    for host in draft.hosts.values():
        seen: dict[tuple[str, Any], str] = {}
        for name, port in host.ports.items():
            carrier = _carrier(port)
            if not carrier:
                continue
            key = (carrier, port.get("vlan"))
            other = seen.setdefault(key, name)
            if other == name:
                continue
            if port.get("vlan"):
                yield draft.error(
                    "networks.vlan-twice",
                    (PORTS, name, "vlan"),
                    f"{port['vlan']} is also the VLAN of {other} on {carrier}.",
                    "Give each network a VLAN of its own.",
                    host,
                )
            else:
                yield draft.error(
                    "networks.port-twice",
                    (PORTS, name, "bond" if "bond" in port else "interface"),
                    f"{carrier} also carries {other}, both without a VLAN: an interface is in one bridge only.",
                    "Give the networks different interfaces, or VLANs.",
                    host,
                )


@rule
def bonds(draft: Draft) -> Iterator[Finding]:
    """An interface is in one bond, and a bond is the same for all networks on it."""
    for host in draft.hosts.values():
        described: dict[str, tuple[str, Mapping[str, Any]]] = {}
        used: dict[str, str] = {}
        for name, port in host.ports.items():
            path = (PORTS, name, "bond")
            bond = port.get("bond")
            if isinstance(bond, dict) and "name" in bond:
                first, same = described.setdefault(bond["name"], (name, bond))
                if same != bond:
                    yield draft.error(
                        "networks.bond-differs",
                        path,
                        f"{bond['name']} is described otherwise for {first}.",
                        "Describe a bond alike wherever networks share it.",
                        host,
                    )
        for bond_name, (name, bond) in described.items():
            for interface in bond.get("interfaces") or ():
                if interface is None:
                    continue
                owner = used.setdefault(interface, f"the bond {bond_name}")
                if owner != f"the bond {bond_name}":
                    yield _interface_twice(draft, host, (PORTS, name, "bond", "interfaces"), interface, owner)
                if interface in described:
                    yield _interface_twice(
                        draft, host, (PORTS, name, "bond", "interfaces"), interface, "the name of a bond"
                    )
        for name, port in host.ports.items():
            interface = port.get("interface")
            if interface in described:
                yield _interface_twice(draft, host, (PORTS, name, "interface"), str(interface), "the name of a bond")
            elif interface in used:
                yield _interface_twice(draft, host, (PORTS, name, "interface"), str(interface), used[str(interface)])


@rule
def interface_names(draft: Draft) -> Iterator[Finding]:
    """What carries a bridge is not a bridge itself."""
    bridges = {network.bridge: network.name for network in draft.networks.values()}
    for host in draft.hosts.values():
        for name, port in host.ports.items():
            carrier = _carrier(port)
            kind = "bond" if "bond" in port else "interface"
            for used in {carrier, *_wires(port)} - {None}:
                if used == "lo":
                    yield draft.error(
                        "networks.name-taken",
                        (PORTS, name, kind),
                        "lo is the host's loopback, and reaches nobody.",
                        "Name the interface that is wired.",
                        host,
                    )
                if used in bridges:
                    yield draft.error(
                        "networks.name-taken",
                        (PORTS, name, kind),
                        f"{used} is the bridge of {bridges[str(used)]}, and can not carry a network itself.",
                        "Name the interface below the bridge.",
                        host,
                    )


@rule
def mtus(draft: Draft) -> Iterator[Finding]:
    """An interface takes the packets of every network on it."""
    for host in draft.hosts.values():
        said: dict[str, tuple[str, int]] = {}
        for name, port in host.ports.items():
            carrier = _carrier(port)
            if carrier and "mtu" in port:
                first, mtu = said.setdefault(carrier, (name, port["mtu"]))
                if mtu != port["mtu"]:
                    yield draft.error(
                        "networks.mtu-differs",
                        (PORTS, name, "mtu"),
                        f"{port['mtu']} differs from {mtu}, which {first} says of the same {carrier}.",
                        "Give an interface one MTU.",
                        host,
                    )
        for name, port in host.ports.items():
            network, carrier = draft.networks.get(name), _carrier(port)
            if network and carrier in said and network.mtu > said[carrier][1]:
                yield draft.error(
                    "networks.mtu",
                    (PORTS, said[carrier][0], "mtu"),
                    f"{said[carrier][1]} of {carrier} is less than {network.mtu}, the MTU of {network.bridge}: larger "
                    "packets would be lost.",
                    f"Raise the interface's MTU to {network.mtu} or more, or lower networks_bridges.{name}.mtu.",
                    host,
                )


@rule
def same_wire(draft: Draft) -> Iterator[Finding]:
    """Replication may flood its wire: on the one that serves data, users wait for it."""
    sharing: dict[str, list[str]] = defaultdict(list)
    for host in draft.hosts.values():
        common = _wires(host.ports.get("storage", {})) & _wires(host.ports.get("repl", {}))
        if common:
            sharing[listed(common)].append(host.name)
    for wires, names in sharing.items():
        host = draft.hosts[names[0]]
        what = f"repl shares {wires} with storage on {listed(names)}: replication slows down what users wait for."
        if draft.acknowledges("repl_on_storage_wire"):
            yield draft.advice(
                "networks.same-wire", (PORTS, "repl"), what, "Give repl interfaces of its own when you can.", host
            )
        else:
            yield draft.error(
                "networks.same-wire",
                (PORTS, "repl"),
                what,
                "Give repl an interface of its own, or accept it: holdfast_acknowledge: [repl_on_storage_wire].",
                host,
            )


def _interface_twice(draft: Draft, host: DraftHost, path: KeyPath, interface: str, owner: str) -> Finding:
    return draft.error(
        "networks.interface-twice",
        path,
        f"{interface} is already {owner if owner.startswith('the name') else f'in {owner}'}.",
        "Use each interface once; networks share a bond by VLANs.",
        host,
    )


def _no_network(draft: Draft, path: KeyPath, name: str, host: DraftHost) -> Finding:
    return draft.error(
        "networks.unknown",
        path,
        f"refers to the network {name}, which networks_bridges does not have.",
        f"Describe networks_bridges.{name}, or take this out.",
        host,
    )


def _named(draft: Draft) -> Mapping[str, Any]:
    """The networks that the inventory names, also those with mistakes; when it names none, that was said already."""
    bridges = draft.variables.get(BRIDGES)
    return bridges if isinstance(bridges, dict) else {"mgmt": {}, "storage": {}, "repl": {}}


def _carrier(port: Mapping[str, Any]) -> str | None:
    """The interface or bond under a network, without its VLAN."""
    bond = port.get("bond")
    carrier = bond.get("name") if isinstance(bond, dict) else port.get("interface")
    return str(carrier) if carrier else None


def _wires(port: Mapping[str, Any]) -> set[str]:
    """The interfaces that a network's packets pass on the host."""
    bond = port.get("bond")
    if isinstance(bond, dict):
        return {str(name) for name in bond.get("interfaces") or () if name}
    return {str(port["interface"])} if "interface" in port else set()
