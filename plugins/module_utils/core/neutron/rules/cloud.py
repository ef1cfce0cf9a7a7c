# SPDX-License-Identifier: Apache-2.0
"""Rules about networks and routers that the deployment makes for its cloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any

from ... import flows
from ...errors import Finding
from ...flows import network_of
from ...inventory.draft import Draft, entries, listed, rule
from ...inventory.schema import KeyPath, ipv4, ipv4_network
from .. import chassis
from .hosts import providers

NETWORKS, ROUTERS, MTU = "neutron_networks", "neutron_routers", "neutron_overlay_mtu"
# What is there in any deployment.
_OWN_PROJECTS = ("admin", "service")
_Place = tuple[KeyPath, Mapping[str, Any], Mapping[str, Any]]


def _networks(draft: Draft) -> Iterator[tuple[int, Mapping[str, Any]]]:
    yield from entries(draft.variables.get(NETWORKS))


def _subnets(draft: Draft) -> Iterator[_Place]:
    """Each subnet with its place and its network."""
    for index, network in _networks(draft):
        for number, subnet in entries(network.get("subnets")):
            yield (NETWORKS, index, "subnets", number), subnet, network


@rule
def overlay_mtu(draft: Draft) -> Iterator[Finding]:
    """What an instance sends fits, with what a tunnel adds, into packets of the network that carries it."""
    if not draft.group("ovn_central"):
        return
    name = network_of(flows.flow(chassis.TUNNELS), draft.variables.get("networks_bridges") or ())
    under = draft.networks.get(name)
    if not under:
        return
    most = under.mtu - chassis.OVERHEAD
    given = draft.variables.get(MTU)
    if given and given > most:
        yield draft.error(
            "neutron.overlay-mtu",
            (MTU,),
            f"is {given}. With the {chassis.OVERHEAD} bytes of a tunnel that is more than {under.mtu}, the mtu of "
            f"{name}: packets of instances would be lost.",
            f"Lower it to {most} or less, or raise networks_bridges.{name}.mtu to {given + chassis.OVERHEAD}.",
        )
        return
    for index, network in _networks(draft):
        largest = given or most
        if network.get("mtu") and not network.get("physical_network") and network["mtu"] > largest:
            yield draft.error(
                "neutron.network-mtu",
                (NETWORKS, index, "mtu"),
                f"is {network['mtu']}, and a tunnel on {name} takes packets of {largest}.",
                f"Lower it to {largest} or less, or leave it out.",
            )


@rule
def physical(draft: Draft) -> Iterator[Finding]:
    """A network that is a physical one is there on some host, and fits; an external one is physical."""
    known: dict[str, int] = {}
    for host in draft.group(chassis.GROUP):
        known |= {name: port.get("mtu") or 1500 for name, port in providers(host).items()}
    for index, network in _networks(draft):
        path: KeyPath = (NETWORKS, index)
        name = network.get("physical_network")
        if network.get("external") and not name and not draft.was_refused((*path, "physical_network")):
            yield draft.error(
                "neutron.external",
                (*path, "physical_network"),
                "is missing, and the network is external: no router could lead out over it.",
                f"Name one of {chassis.PROVIDERS} of the hosts in {chassis.GATEWAYS}.",
            )
        if network.get("vlan") and not name:
            yield draft.error(
                "neutron.vlan",
                (*path, "vlan"),
                "is given without physical_network: a network in tunnels has no VLAN.",
                "Name the physical network, or take the VLAN out.",
            )
        if not name:
            continue
        if name not in known:
            there = f"Name one of {listed(known)}, or give" if known else "Give"
            yield draft.error(
                "neutron.physical-network",
                (*path, "physical_network"),
                f"is {name!r}, for which no host has a port.",
                f"{there} hosts a port in {chassis.PROVIDERS}.{name}.",
            )
        elif network.get("mtu") and network["mtu"] > known[name]:
            yield draft.error(
                "neutron.network-mtu",
                (*path, "mtu"),
                f"is {network['mtu']}, and {name} takes packets of {known[name]}.",
                f"Lower it to {known[name]} or less, or leave it out.",
            )
        if network.get("external") and not draft.group(chassis.GATEWAYS):
            yield draft.error(
                "neutron.no-gateway",
                (*path, "external"),
                f"is true, and no host is in {chassis.GATEWAYS}: nobody would lead instances there.",
                f"Put hosts that are on {name} into {chassis.GATEWAYS}.",
            )


@rule
def once(draft: Draft) -> Iterator[Finding]:
    """Names of networks and subnets, by which routers call them, and a network's place, are had once."""
    names: dict[tuple[str, ...], KeyPath] = {}

    def twice(key: tuple[str, ...], path: KeyPath) -> bool:
        return names.setdefault(key, path) != path

    for index, network in _networks(draft):
        path: KeyPath = (NETWORKS, index)
        if "name" in network and twice(("network", network["name"]), (*path, "name")):
            yield _twice(draft, (*path, "name"), network["name"], "another network")
        place = (str(network.get("physical_network")), str(network.get("vlan") or "no VLAN"))
        if network.get("physical_network") and twice(("place", *place), path):
            yield draft.error(
                "neutron.network-twice",
                (*path, "vlan" if network.get("vlan") else "physical_network"),
                f"is {' with VLAN '.join(place) if network.get('vlan') else place[0]}, as that of another network.",
                "Give each network a VLAN of its own.",
            )
    for path, subnet, _ in _subnets(draft):
        if "name" in subnet and twice(("subnet", subnet["name"]), (*path, "name")):
            yield _twice(draft, (*path, "name"), subnet["name"], "another subnet")
    for index, router in entries(draft.variables.get(ROUTERS)):
        if "name" in router and twice(("router", router["name"]), (ROUTERS, index, "name")):
            yield _twice(draft, (ROUTERS, index, "name"), router["name"], "another router")


def _twice(draft: Draft, path: KeyPath, name: str, other: str) -> Finding:
    return draft.error("neutron.name-twice", path, f"is {name!r}, as that of {other}.", "Give each a name of its own.")


@rule
def projects(draft: Draft) -> Iterator[Finding]:
    """Networks and routers are of projects that are there when they are made."""
    described = [entry for _, entry in entries(draft.variables.get("keystone_projects"))]
    ours = [entry.get("name") for entry in described if entry.get("domain", "Default") == "Default"]
    known = [*_OWN_PROJECTS, *ours]
    for variable in (NETWORKS, ROUTERS):
        for index, entry in entries(draft.variables.get(variable)):
            name = entry.get("project")
            if name and name not in known:
                yield draft.error(
                    "neutron.project",
                    (variable, index, "project"),
                    f"is {name!r}, and keystone_projects has no project of this name in the domain Default.",
                    f"Describe it there, or name one of {listed(map(str, known))}.",
                )


@rule
def addresses(draft: Draft) -> Iterator[Finding]:
    """A subnet's gateway and pool are in it and apart; its addresses are neither the hosts' nor another subnet's."""
    seen: dict[IPv4Network, str] = {}
    for path, subnet, network in _subnets(draft):
        if "cidr" not in subnet:
            continue
        cidr = ipv4_network(subnet["cidr"])
        yield from _inside(draft, path, subnet, cidr)
        for other in draft.networks.values():
            # What instances have among themselves may be anything.
            if cidr.overlaps(other.cidr) and (network.get("external") or network.get("physical_network")):
                yield draft.error(
                    "neutron.subnet-overlap",
                    (*path, "cidr"),
                    f"{cidr} overlaps {other.cidr}, the network {other.name} of the hosts: instances and hosts would "
                    "have each other's addresses.",
                    "Give a range apart from networks_bridges.",
                )
        for earlier, name in seen.items():
            if cidr.overlaps(earlier):
                yield draft.error(
                    "neutron.subnet-overlap",
                    (*path, "cidr"),
                    f"{cidr} overlaps {earlier} of the subnet {name}: no router can be in both.",
                    "Give each subnet a range of its own.",
                )
        seen.setdefault(cidr, str(subnet.get("name")))


def _inside(draft: Draft, path: KeyPath, subnet: Mapping[str, Any], cidr: IPv4Network) -> Iterator[Finding]:
    ends = (cidr.network_address, cidr.broadcast_address)
    gateway = ipv4(subnet["gateway"]) if subnet.get("gateway") else None
    if gateway and (gateway not in cidr or gateway in ends):
        yield draft.error(
            "neutron.subnet",
            (*path, "gateway"),
            f"{gateway} is no address that a router of {cidr} can have.",
            f"Give a router's address in {cidr}.",
        )
    pool = subnet.get("pool")
    if not (isinstance(pool, list) and len(pool) == 2 and all(isinstance(end, str) for end in pool)):
        return
    first, last = map(ipv4, pool)
    if first > last or any(end not in cidr or end in ends for end in (first, last)):
        yield draft.error(
            "neutron.subnet",
            (*path, "pool"),
            f"{first} to {last} is no range of addresses in {cidr}.",
            "Give the first and the last address of the subnet that may be taken.",
        )
    elif gateway and first <= gateway <= last:
        yield draft.error(
            "neutron.subnet",
            (*path, "pool"),
            f"{first} to {last} has the gateway, {gateway}, in it: an instance would get its address.",
            "Leave the gateway out of the pool.",
        )
    elif taken := [str(address) for _, address in draft.outsiders if first <= address <= last]:
        yield draft.error(
            "neutron.subnet",
            (*path, "pool"),
            f"{first} to {last} has {listed(taken)} in it, which the inventory gives as another machine's.",
            "Leave it out of the pool.",
        )


@rule
def routers(draft: Draft) -> Iterator[Finding]:
    """Routers join networks that are described, and lead out over external ones."""
    external = {network.get("name") for _, network in _networks(draft) if network.get("external")}
    inner = {subnet.get("name") for _, subnet, network in _subnets(draft) if not network.get("external")}
    joined: dict[str, str] = {}
    for index, router in entries(draft.variables.get(ROUTERS)):
        name = router.get("external_network")
        if name and name not in external:
            yield draft.error(
                "neutron.router-network",
                (ROUTERS, index, "external_network"),
                f"is {name!r}, and no network of {NETWORKS} that is external has this name.",
                f"Name one of {listed(map(str, external))}." if external else "Describe an external network.",
            )
        for number, subnet in enumerate(router.get("subnets") or ()):
            path = (ROUTERS, index, "subnets", number)
            if subnet not in inner:
                yield draft.error(
                    "neutron.router-subnet",
                    path,
                    f"is {subnet!r}, and no network of {NETWORKS} that is not external has a subnet of this name.",
                    f"Name one of {listed(map(str, inner))}." if inner else "Describe a network with a subnet.",
                )
            elif joined.setdefault(subnet, str(router.get("name"))) != router.get("name"):
                yield draft.error(
                    "neutron.router-subnet",
                    path,
                    f"is {subnet!r}, whose gateway is the router {joined[subnet]} already.",
                    "Give a subnet one router.",
                )
