# SPDX-License-Identifier: Apache-2.0
"""Who talks to whom, on which network: the one table (``rows.py``) from which everything about networks is derived.

Firewalls, the reachability matrix, the addresses that services bind to and dial, the proof in verify and the picture in
the report read it.

A balanced flow stands for two: ``X`` is what the load balancer sends to the members of the group, on their own
addresses; ``X_frontend`` is what clients send to the load balancer, on ``haproxy_address``. Services bind to the first
and dial the second, and both have the same port.

The rows name the groups of their own service; ``complete`` joins in those that use what a row offers. What is asked of
a model has them: they are in ``Model.uses``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Literal

from ..errors import HoldfastError
from ..model import Host, Model
from .rows import ALL, ANY, BALANCER, FLOWS, FRONTEND, Flow
from .uses import Claims, Uses, complete, serving_tls

# What others take of rows.py and uses.py through this package, besides the functions below.
__all__ = ["ALL", "ANY", "BALANCER", "FLOWS", "FRONTEND", "Claims", "Flow", "Uses", "complete", "serving_tls"]

Role = Literal["server", "client", "both"]

_BY_ID: Mapping[str, Flow] = {row.id: row for row in FLOWS}


def all_rows() -> tuple[Flow, ...]:
    """The rows, with the clients of their own services."""
    return tuple(_BY_ID.values())


def groups(uses: Uses) -> frozenset[str]:
    """The groups that the whole table names."""
    named = {group for row in complete(uses) for group in (row.servers, *row.clients)}
    return frozenset(named) - {ALL, ANY}


def flow(id: str) -> Flow:
    """The flow of that name, with the clients of its own service. Raises HoldfastError when there is none."""
    try:
        return _BY_ID[id]
    except KeyError:
        raise HoldfastError(f"There is no flow {id!r}. Fix: use one of {', '.join(_BY_ID)}, or add a row.") from None


def port(id: str) -> int:
    """The (first) port of a flow. Raises HoldfastError for one that has none."""
    ports = flow(id).ports
    if not ports:
        raise HoldfastError(f"The flow {id!r} has no port: it is {flow(id).protocol}.")
    if isinstance(ports[0], str):
        raise HoldfastError(f"The flow {id!r} has no port of its own, but the range {ports[0]}.")
    return ports[0]


def port_range(id: str) -> tuple[int, int]:
    """The first and the last port of a flow whose servers choose theirs from a range."""
    first, _, last = str(flow(id).ports[0]).partition("-")
    return int(first), int(last or first)


def ports_of(row: Flow, *servers: Host) -> tuple[int | str, ...]:
    """Where some servers of a flow listen, each port once: for most flows on all hosts the same."""
    if not row.where_connected:
        return row.ports
    own: list[tuple[int | str, ...]] = [server.connect_ports or row.ports for server in servers]
    return tuple(dict.fromkeys(port for ports in own for port in ports)) or row.ports


def balancer_address(model: Model) -> str:
    """The address on br-mgmt where clients find every API. Raises HoldfastError when it is not set."""
    address = model.variables.get("haproxy_address")
    if not address:
        raise HoldfastError("haproxy_address is not set. Fix: give it a free address of the network mgmt.")
    return str(address)


def bind_address(model: Model, host: Host, id: str) -> str:
    """Where a server of the flow listens: its own address on the flow's network; a frontend's is the balancer's.

    Raises HoldfastError when the host is not on that network.
    """
    row = flow(id)
    if row.is_frontend:
        return balancer_address(model)
    try:
        return host.addresses[row.network]
    except KeyError:
        raise HoldfastError(
            f"{host.name} is not on the network {row.network}, where {row.service} listens ({id}). "
            f"Fix: give it a port in networks_ports.{row.network}, or take it out of the group {row.servers}."
        ) from None


def bind_addresses(model: Model, host: Host, id: str) -> list[str]:
    """All addresses where a server of the flow listens: for some flows a host has more than its own."""
    row = flow(id)
    more = host.more_addresses.get(row.network, ()) if row.more_addresses else ()
    return [bind_address(model, host, id), *more]


def dial_addresses(model: Model, host: Host, id: str) -> list[str]:
    """Where ``host`` finds the flow: the balancer's address for a balanced flow, else those of all its servers.

    In the order of the servers' names, the same on every host: caches hash over this list.
    """
    row = flow(id)
    if row.balanced or row.is_frontend:
        return [balancer_address(model)]
    return [bind_address(model, server, id) for server in servers(model, row)]


def servers(model: Model, row: Flow) -> tuple[Host, ...]:
    """The hosts that answer, by name: members of the group that are on the flow's network.

    A frontend is there when it has somebody to ask, and somebody who may ask it.
    """
    return _members(model, row.network, (row.servers,)) if _is_offered(model, row) else ()


def clients(model: Model, row: Flow) -> tuple[Host, ...]:
    """The hosts that ask, by name. ``any`` gives those of the model that are on the network; others may ask as well."""
    return _members(model, row.network, _clients(model, row))


def server_addresses(model: Model, row: Flow) -> tuple[str, ...]:
    """Where a flow's servers are on its network, in numeric order; a frontend's is the balancer's address."""
    if row.is_frontend:
        return (balancer_address(model),)
    if row.moving_addresses:
        return _sorted({one for host in servers(model, row) for one in host.moving_addresses.get(row.network, ())})
    portals = [address for host in servers(model, row) for address in bind_addresses(model, host, row.id)]
    return _sorted({*_addresses(model, row.network, (row.servers,)), *portals})


def client_addresses(model: Model, row: Flow) -> tuple[str, ...]:
    """Where a flow's clients are on its network, in numeric order."""
    return _addresses(model, row.network, _clients(model, row))


def shows_certificate(model: Model, host: Host) -> bool:
    """Whether the host shows a certificate: it serves by TLS, or asks somebody to whom both ends show theirs."""
    if not host.groups.isdisjoint(serving_tls()):
        return True
    both = (row for row in table(model) if row.tls == "both" and model.group(row.servers))
    return any(not host.groups.isdisjoint(row.clients) for row in both)


def outside(row: Flow, variables: Mapping[str, Any]) -> tuple[str, ...]:
    """The networks of a flow's clients that are no hosts of the inventory, as a host's variables list them."""
    return tuple(variables.get(row.outside) or ()) if row.outside else ()


def flows_of(model: Model, host: Host) -> list[tuple[Flow, Role]]:
    """The flows in which a host has a part, in the table's order. Flows that nobody serves are left out."""
    found: list[tuple[Flow, Role]] = []
    for row in table(model):
        serves, asks = _takes_part(host, row.network, (row.servers,)), _takes_part(host, row.network, row.clients)
        if serves and not _is_offered(model, row):
            continue
        if serves and asks:
            found.append((row, "both"))
        elif serves:
            found.append((row, "server"))
        elif asks and servers(model, row):
            found.append((row, "client"))
    return found


def table(model: Model) -> tuple[Flow, ...]:
    """The whole table of a deployment."""
    found: dict[tuple[str, ...], tuple[Flow, ...]] = _known(model, "table")
    if () not in found:
        found[()] = complete(model.uses)
    return found[()]


def parse_counters(listing: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Counters by name, ``{bytes, packets}``, from ``nft -j list counters table inet holdfast``."""
    return {
        entry["counter"]["name"]: {"bytes": entry["counter"]["bytes"], "packets": entry["counter"]["packets"]}
        for entry in listing.get("nftables", ())
        if "counter" in entry
    }


def difference(
    before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """What was counted between two readings of one host. A counter that began anew in between counts from nothing."""
    return {
        name: {unit: _grown(before.get(name, {}).get(unit, 0), value) for unit, value in now.items()}
        for name, now in after.items()
    }


def by_network(counters: Mapping[str, Mapping[str, int]], model: Model | None = None) -> dict[str, int]:
    """Bytes of the flows by bridge, ``br-<network>`` without a model. Counters that belong to no flow are left out."""
    sums: dict[str, int] = {}
    for row in FLOWS:
        if model and row.network not in model.networks:
            continue
        bridge = model.networks[row.network].bridge if model else f"br-{row.network}"
        sums[bridge] = sums.get(bridge, 0) + counters.get(row.id, {}).get("bytes", 0)
    return sums


def _grown(old: int, new: int) -> int:
    return new - old if new >= old else new


def _clients(model: Model, row: Flow) -> tuple[str, ...]:
    return (*row.clients, *model.uses.get(row.offers, ()))


def _is_offered(model: Model, row: Flow) -> bool:
    if not row.is_frontend:
        return True
    behind = flow(row.id.removesuffix(FRONTEND))
    return all(
        any(_takes_part(host, row.network, groups) for host in model.hosts.values())
        for groups in ((behind.servers,), _clients(model, row))
    )


def _takes_part(host: Host, network: str, groups: tuple[str, ...]) -> bool:
    return network in host.addresses and (ANY in groups or ALL in groups or not host.groups.isdisjoint(groups))


def _members(model: Model, network: str, groups: tuple[str, ...]) -> tuple[Host, ...]:
    found: dict[tuple[str, ...], tuple[Host, ...]] = _known(model, "members")
    key = (network, *groups)
    if key not in found:
        found[key] = tuple(host for _, host in sorted(model.hosts.items()) if _takes_part(host, network, groups))
    return found[key]


def _addresses(model: Model, network: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    found: dict[tuple[str, ...], tuple[str, ...]] = _known(model, "addresses")
    key = (network, *groups)
    if key not in found:
        given = {host.addresses[network] for host in _members(model, network, groups)}
        found[key] = _sorted(given)
    return found[key]


def _sorted(addresses: set[str]) -> tuple[str, ...]:
    return tuple(sorted(addresses, key=lambda address: ipaddress.ip_address(address).packed))


def _known(model: Model, what: str) -> dict[tuple[str, ...], Any]:
    """What was found out about a model, kept with it: it never changes, and every host's plan asks the same."""
    found: dict[tuple[str, ...], Any] = model.__dict__.setdefault(f"_{what}", {})
    return found
