# SPDX-License-Identifier: Apache-2.0
"""Rules about networks: their ranges and addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from typing import Any

from ...errors import Finding
from ...inventory.draft import Draft, DraftHost, DraftNetwork, entries, listed, mapping, rule
from ...inventory.schema import KeyPath, dotted, ipv4, ipv4_network

BRIDGES = "networks_bridges"
PORTS = "networks_ports"
ADDRESSES = "networks_addresses"
SOURCES = "firewall_admin_sources"

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
        if purpose := _purpose(network.cidr):
            yield draft.error(
                "networks.range", path, f"{network.cidr} is {purpose}.", "Give a network that hosts may use."
            )


def _purpose(network: IPv4Network) -> str:
    """What addresses are reserved for that no host may have; empty when hosts may."""
    return next((what for unfit, what in _UNFIT.items() if network.prefixlen >= 4 and network.overlaps(unfit)), "")


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
            if purpose := _purpose(to):
                yield draft.error(
                    "networks.route", (*path, "to"), f"{to} is {purpose}.", "Give a network that hosts may have."
                )
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
def name_servers(draft: Draft) -> Iterator[Finding]:
    """Name servers are hosts that answer from elsewhere."""
    for network in draft.networks.values():
        for index, server in enumerate(network.content.get("dns") or ()):
            address = ipv4(server) if server else None
            if not address:
                continue
            ends = (network.cidr.network_address, network.cidr.broadcast_address)
            reason = _purpose(IPv4Network(address))
            reason = reason or (f"an end of {network.cidr}" if address in ends else "")
            if reason:
                yield draft.error(
                    "networks.name-server",
                    (BRIDGES, network.name, "dns", index),
                    f"{address} is {reason}: no name server answers there.",
                    "Give the address of a name server.",
                )


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
                path = (host.connect_key,)
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
            yield from _outsider(draft, path, given, host)
            other = owners.setdefault((network.name, given), name)
            if other != name:
                yield draft.error(
                    "networks.address-twice",
                    path,
                    f"{given} is also the address of {other} on {network.name}.",
                    "Give each host an address of its own.",
                    host,
                )
        for unknown in sorted(set(host.variables.get(ADDRESSES) or {}) - set(named(draft))):
            yield no_network(draft, (ADDRESSES, unknown), unknown, host)


def _outsider(draft: Draft, path: KeyPath, given: str, host: DraftHost) -> Iterator[Finding]:
    """The address is no other machine's; of routers it was told where they stand."""
    places = [place for place, holder in draft.outsiders if given == str(holder)]
    if places and not any(place[-1] in ("gateway", "via") for place in places):
        yield draft.error(
            "networks.address-foreign",
            path,
            f"{given} is given in {listed(map(dotted, places))} too: there it is a machine that is no host of the "
            "inventory.",
            "Give the host's own address, or the other machine's there.",
            host,
        )


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
    if places := [dotted(place) for place, holder in draft.outsiders if address == holder]:
        yield draft.error(
            "networks.virtual-address",
            path,
            f"{address} is given in {listed(places)} too: there it is another machine's.",
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


@rule
def administrators(draft: Draft) -> Iterator[Finding]:
    """SSH is accepted from networks that packets can come from."""
    for index, text in enumerate(draft.variables.get(SOURCES) or ()):
        if isinstance(text, str) and (purpose := _purpose(ipv4_network(text))):
            yield draft.error(
                "networks.admin-source",
                (SOURCES, index),
                f"is {text}, {purpose}: no connection comes from there.",
                "Give the networks of the administrators, the controller's among them.",
            )


def outsiders(variables: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    """Routers and name servers."""
    for name, network in mapping(variables.get(BRIDGES)).items():
        yield (BRIDGES, name, "gateway"), network.get("gateway")
        for index, server in enumerate(network.get("dns") or ()):
            yield (BRIDGES, name, "dns", index), server
        for index, route in entries(network.get("routes")):
            yield (BRIDGES, name, "routes", index, "via"), route.get("via")


def no_network(draft: Draft, path: KeyPath, name: str, host: DraftHost) -> Finding:
    """What refers to a network that is not described."""
    return draft.error(
        "networks.unknown",
        path,
        f"refers to the network {name}, which networks_bridges does not have.",
        f"Describe networks_bridges.{name}, or take this out.",
        host,
    )


def named(draft: Draft) -> Mapping[str, Any]:
    """The networks that the inventory names, also those with mistakes; when it names none, that was said already."""
    bridges = draft.variables.get(BRIDGES)
    return bridges if isinstance(bridges, dict) else {"mgmt": {}, "storage": {}, "repl": {}, "overlay": {}}
