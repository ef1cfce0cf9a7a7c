# SPDX-License-Identifier: Apache-2.0
"""Rules about which host is on which network: what the flow table says of its groups."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import Finding
from ...flows import ALL, ANY, Flow
from ..draft import Draft, DraftHost, listed, rule


@rule
def on_its_networks(draft: Draft) -> Iterator[Finding]:
    """Whoever serves or asks a flow has a port on the flow's network."""
    served = _served(draft)
    for host in draft.hosts.values():
        if "networks_ports" not in host.variables:
            continue
        missing: dict[str, list[str]] = {}
        for flow in served:
            group = _concern(host, flow)
            if group and flow.network not in host.ports:
                missing.setdefault(flow.network, []).append(group)
        if "mgmt" not in host.ports:
            # The schema requires it wherever ports are given.
            missing.pop("mgmt", None)
        for network, groups in missing.items():
            if draft.was_refused(("networks_ports", network), host) or network not in draft.variables.get(
                "networks_bridges", ()
            ):
                continue
            yield draft.error(
                "networks.no_port",
                ("networks_ports", network),
                f"is missing: the host is in {listed(set(groups))}, whose traffic goes over {network}.",
                f"Give networks_ports.{network}, or take the host out of the group.",
                host,
            )


@rule
def replication_is_for_storage(draft: Draft) -> Iterator[Finding]:
    """Only hosts that keep copies are on the replication network."""
    replicating = [flow for flow in _served(draft) if flow.network == "repl"]
    for host in draft.hosts.values():
        # Where nothing is replicated yet, only networks are made.
        if replicating and "repl" in host.ports and not any(_concern(host, flow) for flow in replicating):
            yield draft.error(
                "networks.replication",
                ("networks_ports", "repl"),
                "is given, and the host is in no group that replicates: the network is for storage hosts only.",
                "Take the port out.",
                host,
            )


@rule
def networks_for_flows(draft: Draft) -> Iterator[Finding]:
    """The networks that services need are described."""
    bridges = draft.variables.get("networks_bridges")
    if not isinstance(bridges, dict):
        return
    for network in sorted({flow.network for flow in draft.flows} - set(bridges) - {"mgmt"}):
        groups = {flow.servers for flow in draft.flows if flow.network == network and flow.servers != ALL}
        needing = [group for group in groups if draft.group(group)]
        if needing and not draft.was_refused(("networks_bridges", network)):
            yield draft.error(
                "networks.missing",
                ("networks_bridges", network),
                f"is missing, and traffic of {listed(needing)} goes over it.",
                f"Describe networks_bridges.{network}.",
            )


def _served(draft: Draft) -> list[Flow]:
    """The flows for which there is a server."""
    return [flow for flow in draft.flows if flow.servers != ALL and draft.group(flow.servers)]


def _concern(host: DraftHost, flow: Flow) -> str | None:
    """The group by which a host has a part in a flow."""
    return next((group for group in (flow.servers, *flow.clients) if group in host.groups - {ALL, ANY}), None)
