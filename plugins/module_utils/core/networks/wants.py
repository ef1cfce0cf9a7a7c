# SPDX-License-Identifier: Apache-2.0
"""The networks and their firewalls: what a host should have of each kind. See ``subject.Wants``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from .. import flows
from ..description.services import Services
from ..model import Host, Model


def network(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{bridges: [{bridge, mtu, addresses, gateway, dns, routes, port}], rollback_seconds}``.

    The host that is the only load balancer holds ``haproxy_address`` as well.
    """
    bridges: dict[str, dict[str, Any]] = {}
    for name, network in model.networks.items():
        if name not in host.addresses:
            continue
        addresses = [f"{host.addresses[name]}/{network.prefix_length}"]
        if name == "mgmt" and model.group("haproxy") == (host,) and model.variables.get("haproxy_address"):
            addresses.append(f"{model.variables['haproxy_address']}/32")
        addresses += [f"{more}/{network.prefix_length}" for more in host.more_addresses.get(name, ())]
        entry = bridges.setdefault(
            network.bridge,
            {
                "bridge": network.bridge,
                "mtu": network.mtu,
                "addresses": [],
                "gateway": None,
                "dns": [],
                "routes": [],
                "port": _port(host.ports[name]),
            },
        )
        entry["mtu"] = max(entry["mtu"], network.mtu)
        entry["addresses"] += addresses
        entry["gateway"] = entry["gateway"] or network.gateway
        entry["dns"] += network.dns
        entry["routes"] += [dict(route) for route in network.routes]
    if not bridges:
        return {}
    seconds = host.variables.get("networks_rollback_seconds") or model.variables.get("networks_rollback_seconds")
    return {"bridges": list(bridges.values()), "rollback_seconds": int(seconds or 45)}


def _port(given: Mapping[str, Any]) -> dict[str, Any]:
    """A port with every option, as the module has it."""
    bond = given.get("bond")
    return {
        "interface": given.get("interface"),
        "vlan": given.get("vlan"),
        "mtu": given.get("mtu"),
        "bond": bond
        and {
            "name": bond["name"],
            "mode": bond.get("mode") or "active-backup",
            "interfaces": list(bond["interfaces"]),
        },
    }


def firewall(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The options of the module: for each bridge who may be there, for each flow this host's side of it."""
    bridges: dict[str, dict[str, Any]] = {}
    for name, network in model.networks.items():
        if name in host.addresses:
            entry = bridges.setdefault(
                network.bridge, {"bridge": network.bridge, "network": name, "addresses": [], "sources": []}
            )
            entry["addresses"].append(host.addresses[name])
            entry["addresses"] += host.more_addresses.get(name, ())
            if name != "mgmt":
                entry["sources"] += [network.cidr, *(route["to"] for route in network.routes)]
    entries = []
    for row, role in flows.flows_of(model, host):
        here = {
            "id": row.id,
            "bridge": model.networks[row.network].bridge,
            "protocol": row.protocol,
            "users": list(row.users),
        }
        if role != "client":
            # One that listens on several addresses of the bridge is reached on whichever is the host's.
            several = row.moving_addresses or len(flows.bind_addresses(model, host, row.id)) > 1
            everywhere = row.servers == flows.ALL or several
            entries.append(
                {
                    **here,
                    "ports": list(flows.ports_of(row, host)),
                    "role": "server",
                    "address": None if everywhere else flows.bind_address(model, host, row.id),
                    "peers": _clients(model, host, row),
                }
            )
        if role != "server":
            there = list(flows.ports_of(row, *flows.servers(model, row)))
            peers = _servers(model, host, row)
            entries.append({**here, "ports": there, "role": "client", "address": None, "peers": peers})
    if not bridges:
        return {}
    seconds = host.variables.get("networks_rollback_seconds") or model.variables.get("networks_rollback_seconds")
    return {"bridges": list(bridges.values()), "flows": entries, "rollback_seconds": int(seconds or 45)}


def _clients(model: Model, host: Host, row: Any) -> list[str] | None:
    """Addresses that may ask this host; None for any."""
    if row.id == "ssh":
        sources = host.variables.get("firewall_admin_sources") or model.variables.get("firewall_admin_sources")
        return list(sources) if sources else None
    if flows.ANY in row.clients:
        return None
    return [*_others(flows.client_addresses(model, row), host), *flows.outside(row, host.variables)]


def _servers(model: Model, host: Host, row: Any) -> list[str]:
    """Addresses that this host asks."""
    if row.is_frontend and flows.servers(model, row) == (host,):
        return []
    return _others(flows.server_addresses(model, row), host)


def _others(addresses: tuple[str, ...], host: Host) -> list[str]:
    """Without the host's own: what it says to itself does not cross a bridge."""
    own = {*host.addresses.values(), *chain.from_iterable(host.more_addresses.values())}
    return [address for address in addresses if address not in own]
