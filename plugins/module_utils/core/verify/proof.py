# SPDX-License-Identifier: Apache-2.0
"""Stories and counters together: what each story left on each network, and whether it belongs there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from .. import flows
from ..model import Model
from .story import Story, judge

OURS = ("ssh", *(row.id for row in flows.FLOWS if row.protocol == "icmp"))
"""Flows by which a run reaches the hosts: they are no part of any story."""

SLACK = 64 * 1024
"""Bytes that the firewall may have counted and the kernel not sent: a neighbour was gone, a queue was full."""

Readings = Mapping[str, Sequence[Mapping[str, Any]]]


def prove(
    readings: Readings,
    told: Mapping[str, Mapping[str, Any]],
    catalogue: Mapping[str, Story],
    model: Model,
    *,
    alone: bool,
) -> list[dict[str, Any]]:
    """Entries of verify.json, in the order in which the stories were told.

    Args:
        readings: by host, ``{after, at, flows, kernel}`` before the first story (``after`` None) and after each. The
            ``kernel`` was read twice, ``{before, after}`` the flows.
        told: by story, ``{problem, evidence, seconds}``.
        catalogue: the stories by id.
        model: the deployment.
        alone: whether nobody else used the deployment, so that too many bytes mean something.
    """
    entries = []
    for name, story in catalogue.items():
        if name not in told:
            continue
        result = told[name]
        counted = flow_bytes(readings, name)
        sums = _by_network(counted, model)
        problems = [result["problem"]] if result["problem"] else []
        span = _span(readings, name)
        problems += judge(story, sums, seconds=span, alone=alone) + _contradictions(readings, name, model)
        evidence = {**result["evidence"], **({"problems": problems} if problems else {})}
        entries.append(
            {
                "id": name,
                "realm": story.realm,
                "title": story.title,
                "ok": not problems,
                "seconds": span if story.waits else result["seconds"],
                "networks": {model.networks[network].bridge: sums[network] for network in model.networks},
                "evidence": evidence,
            }
        )
    return entries


def _span(readings: Readings, story: str) -> float:
    """Seconds between the readings around a story, on the host where they are closest."""
    spans = [
        after["at"] - before["at"]
        for rows in readings.values()
        for before, after in pairwise(rows)
        if after["after"] == story
    ]
    return round(min(spans, default=0.0), 3)


def flow_bytes(readings: Readings, story: str | None = None) -> dict[str, dict[str, int]]:
    """Bytes by host and flow that one story left, or all of them together."""
    found: dict[str, dict[str, int]] = {}
    for host, rows in readings.items():
        sums: dict[str, int] = {}
        for before, after in pairwise(rows):
            if story in (None, after["after"]):
                for name, value in flows.difference(before["flows"], after["flows"]).items():
                    sums[name] = sums.get(name, 0) + value["bytes"]
        found[host] = {name: value for name, value in sums.items() if name not in OURS}
    return found


def deployment_bytes(counted: Mapping[str, Mapping[str, int]], model: Model) -> dict[str, int]:
    """Bytes of each flow in the deployment.

    Each host counts what it sends and what it receives, so a byte between two hosts is counted at both, and is one byte
    here. Where anybody may ask, only those who answer count it for certain.
    """
    sums: dict[str, int] = {}
    for row in flows.table(model):
        if flows.ANY in row.clients:
            sums[row.id] = sum(counted.get(host.name, {}).get(row.id, 0) for host in flows.servers(model, row))
        else:
            sums[row.id] = sum(host_flows.get(row.id, 0) for host_flows in counted.values()) // 2
    return {name: count for name, count in sums.items() if count}


def _by_network(counted: Mapping[str, Mapping[str, int]], model: Model) -> dict[str, int]:
    totals = deployment_bytes(counted, model)
    sums = dict.fromkeys(model.networks, 0)
    for row in flows.table(model):
        if row.network in sums:
            sums[row.network] += totals.get(row.id, 0)
    return sums


def _contradictions(readings: Readings, story: str, model: Model) -> list[str]:
    """The kernel's own statistics of the bridges are a second witness: the firewall can not have counted more."""
    problems = []
    for host, rows in readings.items():
        for before, after in pairwise(rows):
            if after["after"] != story:
                continue
            counted = flows.by_network(flows.difference(before["flows"], after["flows"]), model)
            for bridge, seen in after["kernel"]["after"].items():
                grown = seen - before["kernel"]["before"].get(bridge, 0)
                if counted.get(bridge, 0) > grown + SLACK:
                    problems.append(
                        f"{host}: the firewall counted {counted[bridge]} bytes on {bridge}, the kernel only {grown}"
                    )
    return problems
