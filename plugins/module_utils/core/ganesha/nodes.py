# SPDX-License-Identifier: Apache-2.0
"""The nodes of an NFS cluster: each is a server with an address, at home on one host, elsewhere while that is away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .. import flows
from ..inventory.draft import address_of
from ..inventory.schema import KeyPath
from ..model import Host, Model

GROUP = "ganesha"
ADDRESSES = "ganesha_addresses"
_AT_HOME = 150
_ELSEWHERE = 100


def moving(variables: Mapping[str, Any], host: str) -> dict[str, tuple[str, ...]]:
    """See ``MovingAddresses``."""
    found = (variables.get(ADDRESSES) or {}).get(host)
    return {"storage": (str(found),)} if found else {}


def outsiders(variables: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    """The addresses of servers: no host has one for its own."""
    given = variables.get(ADDRESSES)
    yield from (((ADDRESSES, host), address) for host, address in (given.items() if isinstance(given, Mapping) else ()))


def router(address: str) -> int:
    """The number by which hosts tell whose address they speak of, from 1 to 255: the last one of the address."""
    found = address_of(address)
    return (int(found) & 255 if found else 0) or 255


def nodes(model: Model, host: Host) -> list[dict[str, Any]]:
    """The nodes as a host sees them: ``{name, address, bus, router, priority, peers, as_daemon}``.

    ``bus`` is a word that names the node, ``priority`` is how near the host is to have its address, ``peers`` are the
    other hosts on br-storage, ``as_daemon`` is what Ceph's manager tells of it.
    """
    members = model.group(GROUP)
    port = flows.port("ganesha")
    names = [member.name for member in members]
    peers = [member.addresses["storage"] for member in members if member.name != host.name]
    found = []
    for place, member in enumerate(members):
        address = model.variables[ADDRESSES][member.name]
        # The others take it in turn, so that two lost hosts do not burden the same one.
        away = (names.index(host.name) - place) % len(names) if host.name in names else 0
        found.append(
            {
                "name": member.name,
                "address": address,
                "bus": f"node_{re.sub(r'[^A-Za-z0-9]', '_', member.name)}",
                "router": router(address),
                "priority": _ELSEWHERE - away if away else _AT_HOME,
                "peers": peers,
                "as_daemon": {"host": member.name, "address": address, "port": port},
            }
        )
    return found
