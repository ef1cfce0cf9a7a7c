# SPDX-License-Identifier: Apache-2.0
"""Rules about hosts: their names, and where they are reached."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from ...errors import Finding
from ...flows import ALL
from ..draft import SSH, Draft, DraftHost, address_of, listed, rule, spelt_once, why_not_ipv4
from ..schema import shown

_NAME = re.compile(
    r"(?=.{1,253}\Z)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\Z"
)
# Linux takes host names up to this length.
_LONGEST = 64


@rule
def names(draft: Draft) -> Iterator[Finding]:
    """Names of hosts are names, and differ in more than case."""
    seen: dict[str, str] = {}
    for name, host in draft.hosts.items():
        if not _NAME.match(name) or len(name) > _LONGEST:
            yield draft.error(
                "hosts.name",
                (),
                f"{name!r} is not a host name: letters, digits and inner hyphens, at most 63 in each part and "
                f"{_LONGEST} in all.",
                "Rename the host in the inventory; ansible_host may hold what it is reached by.",
                host,
            )
        elif re.fullmatch(r"[0-9.]+", name):
            yield draft.error(
                "hosts.name",
                (),
                f"{name!r} is an address and not a name: certificates and rings name hosts, and addresses change.",
                f"Give the host a name and set ansible_host: {name}.",
                host,
            )
        elif name.lower().partition(".")[0] == "localhost":
            yield draft.error(
                "hosts.name",
                (),
                f"{name!r} means each host itself: the others could not reach it by its name.",
                "Rename the host in the inventory; a controller that runs no service may stay localhost.",
                host,
            )
        other = seen.setdefault(name.lower(), name)
        if other != name:
            yield draft.error(
                "hosts.name-twice", (), f"{name!r} and {other!r} differ only in case.", "Rename one of the hosts.", host
            )


@rule
def variable_files(draft: Draft) -> Iterator[Finding]:
    """Files of variables are for hosts and groups that are there: others would be passed over in silence."""
    there = {"host": [*draft.hosts], "group": [*draft.groups, "all", "ungrouped"]}
    for file, (kind, name) in draft.variable_files.items():
        if name in there[kind]:
            continue
        lowered = {each.lower(): each for each in reversed(there[kind])}
        near = [lowered[each] for each in difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.8)]
        # storage4 beside storage3 is a host that left, or has not come yet; Storage3 is storage3.
        same, alike = (near and near[0].lower() == name.lower()), r"[0-9]"
        misspelt = near and (same or re.sub(alike, "", near[0].lower()) != re.sub(alike, "", name.lower()))
        yield Finding(
            "error" if misspelt else "advice",
            "hosts.variable-file",
            file,
            f"The file is for the {kind} {name}, which is not in the inventory: nothing uses it.",
            f"{f'Did you mean {near[0]}? ' if near else ''}Rename the file, or take it out.",
        )


@rule
def connections(draft: Draft) -> Iterator[Finding]:
    """Where hosts are reached is their mgmt address, unless that is given by itself."""
    for host in draft.hosts.values():
        if odd := _no_place(host):
            yield draft.error("hosts.address", (host.connect_key,), *odd, host)
            continue
        if "mgmt" not in host.ports or host.mgmt_address or _has_own_mgmt(host):
            continue
        if host.connect != host.connect.strip() or re.fullmatch(r"[0-9.]+|.*:.*", host.connect):
            what = f"is {host.connect!r}, {why_not_ipv4(host.connect)}."
            fix = f"Set {host.connect_key} to the host's IPv4 address on mgmt, or give networks_addresses.mgmt."
            yield draft.error("hosts.address", (host.connect_key,), what, fix, host)
        else:
            yield draft.error(
                "networks.mgmt-unknown",
                ("networks_addresses", "mgmt"),
                f"The host's address on mgmt is not known: it is reached by the name {host.connect!r}, and names are "
                "not looked up.",
                f"Set {host.connect_key} to the address, or give networks_addresses.mgmt.",
                host,
            )


@rule
def two_addresses(draft: Draft) -> Iterator[Finding]:
    """A host has one address on mgmt."""
    mgmt = draft.networks.get("mgmt")
    for host in draft.hosts.values():
        reached = address_of(host.connect)
        own = host.mgmt_address
        if mgmt and reached and own and reached in mgmt.cidr and str(reached) != own:
            yield draft.error(
                "networks.two-addresses",
                ("networks_addresses", "mgmt"),
                f"is {own}, and ansible_host is {reached}: two addresses of one host on one network.",
                "Give one of them only.",
                host,
            )


@rule
def reached_twice(draft: Draft) -> Iterator[Finding]:
    """Two names are two machines: what is one by both would be told two things at once."""
    own: dict[tuple[str, str], str] = {}
    for name, host in draft.hosts.items():
        port = host.port or SSH
        places = (name, *(draft.given_address(host, network) for network in ("mgmt", *draft.networks)))
        own |= {(spelt_once(place), port): name for place in places if place and not host.is_local}
    seen: dict[tuple[str, str], str] = {}
    for name, host in draft.hosts.items():
        if not host.reached:
            continue
        first = seen.setdefault(host.reached, name)
        other = first if first != name else own.get(host.reached, name)
        # Who has no other address on mgmt than this is told so there (networks.address-twice).
        if other != name and (_has_own_mgmt(host) or not address_of(host.connect)):
            is_named = f", another spelling of {host.reached[0]}" if host.connect != host.reached[0] else ""
            yield draft.error(
                "hosts.reached-twice",
                (host.connect_key,),
                f"is {host.connect!r}{is_named}, where {other} is reached too: one machine under two names.",
                "Give each host its own address or name.",
                host,
            )


@rule
def ports(draft: Draft) -> Iterator[Finding]:
    """The port where Ansible reaches a host is one, and no other service's of the host."""
    for host in draft.hosts.values():
        if host.is_local or not host.port:
            continue
        if not host.has_port:
            what = f"is {shown(host.port)}, which is no port: a whole number from 1 to 65535."
            yield draft.error("hosts.port", (host.port_key,), what, "Give the port of the host's SSH daemon.", host)
            continue
        here = (row for row in draft.domain.flows if row.servers == ALL or row.servers in host.groups)
        # An SSH daemon listens on all networks, unless it is told otherwise.
        others = (row for row in here if row.protocol == "tcp" and not row.where_connected)
        if taken := next((row for row in others if int(host.port) in row.ports), None):
            what = f"is {host.port}, where {taken.service} listens on this host ({taken.id})."
            fix = "Let the host's SSH daemon listen on another port, and give that."
            yield draft.error("hosts.port", (host.port_key,), what, fix, host)


@rule
def idle(draft: Draft) -> Iterator[Finding]:
    """Where there are services, a host without one may have been forgotten."""
    known = draft.domain.groups
    full = {group for group, many in draft.domain.members.items() if many == "one" and draft.group(group)}
    if draft.group(*known):
        for host in draft.hosts.values():
            if not host.groups & known:
                yield draft.advice(
                    "hosts.idle",
                    (),
                    "The host is in no group of a service, and gets networks only.",
                    f"Put it into a group if it was forgotten: {listed(known - full)}.",
                    host,
                )


def _no_place(host: DraftHost) -> tuple[str, str] | None:
    """What stands in ``ansible_host`` beside a name or an address, and where that belongs."""
    connect, key = host.connect, host.connect_key
    seen = f"is {connect!r}"
    if host.is_local:
        return None
    if "://" in connect:
        return f"{seen}, a URL.", f"Give the name or the address alone in {key}."
    if "@" in connect:
        user, _, rest = connect.rpartition("@")
        return f"{seen}, with a user.", f"Set {key}: {rest}, and ansible_user: {user}."
    if port := re.fullmatch(r"(?:\[(.*)\]|([^:]*)):([0-9]*)", connect):
        place = port[1] or port[2]
        return f"{seen}, with a port.", f"Set {key}: {place}, and ansible_port: {port[3] or SSH}."
    if re.fullmatch(r"[0-9.]+/[0-9]*", connect):
        return f"{seen}, with a prefix length.", f"Set {key}: {connect.partition('/')[0]}."
    return None


def _has_own_mgmt(host: DraftHost) -> bool:
    return "mgmt" in (host.variables.get("networks_addresses") or {})
