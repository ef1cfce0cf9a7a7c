# SPDX-License-Identifier: Apache-2.0
"""Addresses of hosts on the networks: those that are given, those that were assigned before, and new ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from .schema import KeyPath

Addresses = Mapping[str, Mapping[str, str]]
"""By host and network."""


@dataclass(frozen=True)
class Range:
    """Where addresses of a network come from: ``first`` to ``last``, without those that are ``reserved``."""

    network: IPv4Network
    first: IPv4Address
    last: IPv4Address
    reserved: frozenset[IPv4Address] = frozenset()

    def is_usable(self, address: IPv4Address) -> bool:
        """Whether a host can have the address at all: also outside the pool, but never a reserved one."""
        ends = (self.network.network_address, self.network.broadcast_address)
        return address in self.network and address not in ends and address not in self.reserved

    def has(self, address: IPv4Address) -> bool:
        """Whether the address may be assigned."""
        return self.first <= address <= self.last and self.is_usable(address)


@dataclass(frozen=True)
class Conflict:
    """Why an address can not be assigned or kept. Without a host, it concerns the network."""

    code: str
    host: str | None
    path: KeyPath
    what: str
    fix: str


def assign(
    ranges: Mapping[str, Range],
    hosts: Mapping[str, Collection[str]],
    given: Addresses,
    remembered: Addresses,
) -> tuple[dict[str, dict[str, str]], list[Conflict]]:
    """The address of every host on every network that it is on, as ``hosts`` says, and what stands against it.

    A given address wins. Else the host keeps the one that was assigned to it before. Else it gets the address with the
    same place in the network as its mgmt address, if that is free; else the lowest free one of the pool. So the result
    depends on nothing but the arguments, and with what was remembered, adding a host changes no other host's address.

    Addresses remembered for hosts that are gone stay theirs: the host may come back, and rings may still name it.
    A remembered address that is outside its network, because that was renumbered, is forgotten.
    """
    conflicts: list[Conflict] = []
    result: dict[str, dict[str, str]] = {name: {} for name in hosts}
    for network in sorted(ranges, key=lambda name: (name != "mgmt", name)):
        range_ = ranges[network]
        members = sorted(name for name, networks in hosts.items() if network in networks)
        own = {name: address for name in members if (address := given.get(name, {}).get(network))}
        taken = {IPv4Address(address): name for name, address in own.items()}
        conflicts += _keep(network, range_, members, remembered, own, taken)
        for name in members:
            like = _same_place(result[name].get("mgmt"), ranges.get("mgmt"), range_)
            if name not in own and like and range_.has(like) and like not in taken:
                taken[like] = name
                own[name] = str(like)
        conflicts += _fill(network, range_, [name for name in members if name not in own], own, taken)
        for name, address in own.items():
            result[name][network] = address
    return result, conflicts


def _keep(
    network: str,
    range_: Range,
    members: Collection[str],
    remembered: Addresses,
    own: dict[str, str],
    taken: dict[IPv4Address, str],
) -> Iterator[Conflict]:
    """Give the members of a network that have no address the ones that they had. Others' stay taken."""
    for name in sorted(remembered):
        kept = remembered[name].get(network)
        if kept is None or name in own or IPv4Address(kept) not in range_.network:
            continue
        address = IPv4Address(kept)
        if name not in members:
            taken.setdefault(address, name)
            continue
        if address in taken or not range_.is_usable(address):
            yield _collision(name, network, kept, taken.get(address, "a machine that is no host, or haproxy_address"))
        else:
            taken[address] = name
        own[name] = kept


def _fill(
    network: str, range_: Range, waiting: list[str], own: dict[str, str], taken: dict[IPv4Address, str]
) -> Iterator[Conflict]:
    """Give those who wait the lowest free addresses of the pool."""
    pool = (IPv4Address(number) for number in range(int(range_.first), int(range_.last) + 1))
    free = (address for address in pool if address not in taken and range_.has(address))
    for position, name in enumerate(waiting):
        address = next(free, None)
        if address is None:
            yield _exhausted(network, range_, waiting[position:])
            return
        own[name] = str(address)


def _same_place(mgmt: str | None, source: Range | None, target: Range) -> IPv4Address | None:
    if mgmt is None or source is None or IPv4Address(mgmt) not in source.network:
        return None
    offset = int(IPv4Address(mgmt)) - int(source.network.network_address)
    return target.network.network_address + offset if offset < target.network.num_addresses else None


def _collision(name: str, network: str, address: str, owner: str) -> Conflict:
    return Conflict(
        "networks.address-taken",
        name,
        ("networks_addresses", network),
        f"{address} was assigned to {name} and now belongs to {owner}.",
        f"Give another address to {owner}; or give {name} one in networks_addresses.{network}, which moves it.",
    )


def _exhausted(network: str, range_: Range, names: Collection[str]) -> Conflict:
    return Conflict(
        "networks.pool-exhausted",
        None,
        ("networks_bridges", network, "pool"),
        f"The pool {range_.first} to {range_.last} has no free address left for {', '.join(sorted(names))}.",
        "Make the pool larger, give addresses in networks_addresses, or remove hosts that are gone from "
        "group_vars/all/addresses.yml.",
    )
