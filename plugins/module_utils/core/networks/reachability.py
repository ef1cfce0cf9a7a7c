# SPDX-License-Identifier: Apache-2.0
"""Who must reach whom, from the flow table, and what it means when one does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import flows
from ..errors import Finding
from ..model import Host, Model

_HEADERS = 28  # bytes of the IPv4 and ICMP headers around an echo's content


def targets(model: Model, host: Host) -> list[dict[str, Any]]:
    """Every other host on each of the host's networks: ``{network, bridge, source, peer, address, size}``.

    ``size`` is the content of an echo that fills the network's MTU, in bytes.
    """
    return [
        {
            "network": name,
            "bridge": network.bridge,
            "source": host.addresses[name],
            "peer": peer.name,
            "address": peer.addresses[name],
            "size": network.mtu - _HEADERS,
        }
        for name, network in model.networks.items()
        if name in host.addresses
        for _, peer in sorted(model.hosts.items())
        if peer.name != host.name and name in peer.addresses
    ]


def ports(model: Model, host: Host) -> list[dict[str, Any]]:
    """Every port of another host that this host asks by a flow: ``{flow, network, source, peer, address, port}``.

    Of a range nobody can tell beforehand which ports will be in use.
    """
    return [
        {
            "flow": row.id,
            "network": row.network,
            "source": host.addresses[row.network],
            "peer": server.name,
            "address": flows.bind_address(model, server, row.id),
            "port": port,
        }
        for row, role in flows.flows_of(model, host)
        if role != "server" and row.protocol == "tcp"
        for server in flows.servers(model, row)
        if server.name != host.name
        for port in flows.ports_of(row, server)
        if isinstance(port, int)
    ]


def findings(host: str, answers: Mapping[str, list[Mapping[str, Any]]]) -> Iterator[Finding]:
    """What is wrong. ``answers``: ``targets`` and ``ports``, each with what the module reachability_info found.

    A bridge that is not there yet is advice: on a bare host nothing is.
    """
    absent: set[str] = set()
    for target in answers.get("targets", ()):
        bridge = target["bridge"]
        if target["error"]:
            if bridge not in absent:
                absent.add(bridge)
                yield Finding(
                    "advice",
                    "networks.not_made",
                    f"{host}: {bridge}",
                    f"Nothing was sent from {target['source']} on {bridge}: {target['error']}.",
                    "Run playbooks/site.yml --tags networks, and preflight again.",
                )
        elif target["small"] is None:
            yield Finding(
                "error",
                "networks.unreachable",
                f"{host}: networks_ports.{target['network']}",
                f"{target['peer']} ({target['address']}) does not answer on the network {target['network']}.",
                "See that both ports are on the same switch and VLAN, and that the peer's bridge is made.",
            )
        elif target["full"] is None:
            size = target["size"] + _HEADERS
            yield Finding(
                "error",
                "networks.mtu",
                f"{host}: networks_bridges.{target['network']}.mtu",
                f"Packets of {size} bytes do not reach {target['peer']} ({target['address']}), smaller ones do.",
                f"Allow frames of {size} bytes on every switch port between them, or lower the network's mtu.",
            )
    for target in answers.get("ports", ()):
        if target["state"] == "filtered":
            yield Finding(
                "error",
                "networks.filtered",
                f"{host}: {target['flow']}",
                f"{target['peer']} ({target['address']}) drops connections to port {target['port']}.",
                "Run playbooks/site.yml --tags firewall on both hosts, and see what filters between them.",
            )
