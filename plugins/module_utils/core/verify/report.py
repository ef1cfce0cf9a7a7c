# SPDX-License-Identifier: Apache-2.0
"""What the report shows, computed: the picture's geometry, and text for numbers. The template only places it.

The picture is a map. Each host is a row and each network a column, so that it stays readable with any number of hosts;
where a host is on a network there is a dot, and beside it a bar for the bytes that crossed. A second drawing has the
groups that ask on the left and those that answer on the right, a band for each flow between them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .. import flows
from ..model import Host, Model
from ..progress import duration

TONES = "abcdef"
"""Classes of the template, each with a colour: one for each network, in the order of the table of flows."""

LABEL, COLUMN, BAR, ROW, HEAD = 190, 290, 150, 46, 64
NODE, LANE = 34, 150


def tone(network: str) -> str:
    """The colour of a network. What no flow may use has the last one."""
    named = dict.fromkeys(row.network for row in flows.FLOWS)
    return dict(zip(named, TONES, strict=False)).get(network, TONES[-1])


def size(count: float) -> str:
    """Bytes for people, in binary units: ``812 B``, ``24.1 MiB``."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1000 or unit == "TiB":
            digits = 0 if unit == "B" or value >= 99.95 else 1
            return f"{value:.{digits}f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def view(
    *,
    model: Model,
    entries: Sequence[Mapping[str, Any]],
    counted: Mapping[str, Mapping[str, int]],
    totals: Mapping[str, int],
    runs: Sequence[Mapping[str, Any]],
    versions: Mapping[str, Mapping[str, str]],
    findings: Sequence[Mapping[str, Any]],
    written: str,
) -> dict[str, Any]:
    """Everything that the template needs.

    Args:
        model: the deployment.
        entries: verify.json.
        counted: bytes by host and flow.
        totals: bytes by flow.
        runs: summaries of playbook runs, as the callback leaves them.
        versions: by host, the version of each package.
        findings: advice and errors of the last plan.
        written: date and time, for people.
    """
    used = [row for row in flows.table(model) if totals.get(row.id)]
    return {
        "deployment": model.deployment,
        "written": written,
        "ok": all(entry["ok"] for entry in entries) if entries else None,
        "passed": sum(1 for entry in entries if entry["ok"]),
        "told": len(entries),
        "seconds": duration(sum(entry["seconds"] for entry in entries)),
        "hosts": len(model.hosts),
        "networks": [_network(model, name, totals) for name in model.networks],
        "map": network_map(model, counted),
        "bands": flow_bands(used, totals),
        "flows": _flow_rows(model, used, totals),
        "realms": _realms(entries, model),
        "runs": [_run(run) for run in runs],
        "versions": _versions(versions),
        "findings": list(findings),
    }


def _network(model: Model, name: str, totals: Mapping[str, int]) -> dict[str, Any]:
    network = model.networks[name]
    count = sum(totals.get(row.id, 0) for row in flows.table(model) if row.network == name)
    return {
        "name": name,
        "style": tone(name),
        "bridge": network.bridge,
        "cidr": network.cidr,
        "mtu": network.mtu,
        "hosts": sum(1 for host in model.hosts.values() if name in host.addresses),
        "size": size(count),
    }


def network_map(model: Model, counted: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """The map's rows, columns, dots and bars, in units of its own ``width`` and ``height``."""
    hosts = sorted(model.hosts.values(), key=lambda host: (_rank(host), host.name))
    networks = list(model.networks)
    row = ROW if len(hosts) <= 8 else 34
    amounts = {
        (host.name, name): _amounts(model, counted.get(host.name, {}), name) for host in hosts for name in networks
    }
    greatest = max((sum(parts.values()) for parts in amounts.values()), default=0) or 1
    rows = []
    for number, host in enumerate(hosts):
        y = HEAD + row * number + row / 2
        cells = []
        for column, name in enumerate(networks):
            if name not in host.addresses:
                continue
            x = LABEL + COLUMN * column
            parts: list[dict[str, Any]] = []
            start = x + 14.0
            for flow, count in sorted(amounts[host.name, name].items(), key=lambda item: -item[1]):
                wide = BAR * count / greatest
                parts.append(
                    {"x": start, "width": max(wide, 0.5), "title": f"{flow}: {size(count)}", "shade": len(parts) % 3}
                )
                start += wide
            total = sum(amounts[host.name, name].values())
            cells.append(
                {
                    "x": x,
                    "style": tone(name),
                    "address": host.addresses[name],
                    "parts": parts,
                    "end": max(start, x + 14) + 6,
                    "size": size(total) if total else "",
                }
            )
        rows.append({"name": host.name, "groups": _groups(host), "y": y, "cells": cells})
    bottom = HEAD + row * len(hosts)
    return {
        "width": LABEL + COLUMN * len(networks) - 20,
        "height": bottom + 10,
        "row": row,
        "rows": rows,
        "columns": [
            {
                "x": LABEL + COLUMN * number,
                "top": HEAD - 12,
                "bottom": bottom,
                "style": tone(name),
                "bridge": model.networks[name].bridge,
                "cidr": f"{model.networks[name].cidr}, MTU {model.networks[name].mtu}",
            }
            for number, name in enumerate(networks)
        ],
    }


def _amounts(model: Model, host_flows: Mapping[str, int], network: str) -> dict[str, int]:
    rows = (row for row in flows.table(model) if row.network == network)
    return {row.id: host_flows[row.id] for row in rows if host_flows.get(row.id)}


def _rank(host: Host) -> int:
    """In the order of the table of flows: first who serves all others, then who serves data, last who serves nobody."""
    ranks = (number for number, row in enumerate(flows.FLOWS) if row.servers in host.groups - {flows.ALL})
    return next(ranks, len(flows.FLOWS))


def _groups(host: Host) -> str:
    hidden = {"all", "ungrouped"}
    named = sorted(host.groups.intersection({row.servers for row in flows.FLOWS}) - hidden)
    for shown in range(len(named), 0, -1):
        text = ", ".join(named[:shown]) + (f" and {len(named) - shown} more" if shown < len(named) else "")
        if len(text) <= 28:
            return text
    return f"{len(named)} groups"


def flow_bands(used: Iterable[flows.Flow], totals: Mapping[str, int]) -> dict[str, Any]:
    """Who talked to whom: nodes on the left ask, nodes on the right answer, bands between them are flows.

    A band's width grows with the square root of its bytes, so that small flows stay visible.
    """
    rows = [(row, _askers(row), row.servers) for row in used if row.servers != flows.ALL]
    rows.sort(key=lambda item: (tone(item[0].network), item[1], item[2]))
    left = list(dict.fromkeys(asker for _, asker, _ in rows))
    right = list(dict.fromkeys(server for _, _, server in rows))
    greatest = max((totals[row.id] for row, _, _ in rows), default=1)
    weights = {row.id: 2 + 16 * math.sqrt(totals[row.id] / greatest) for row, _, _ in rows}
    tall: dict[tuple[str, str], float] = {}
    for side, position in (("left", 1), ("right", 2)):
        for item in rows:
            key = (side, str(item[position]))
            tall[key] = tall.get(key, 0) + weights[item[0].id] + 4
    nodes, tops = {}, {}
    heights = []
    for side, names in (("left", left), ("right", right)):
        y = 30.0
        for name in names:
            high = max(NODE, tall[side, name])
            nodes[side, name] = {"side": side, "name": name, "y": y, "height": high, "middle": y + high / 2}
            tops[side, name] = y + (high - tall[side, name]) / 2 + 2
            y += high + 12
        heights.append(y)
    height = max(heights, default=30)
    x0, x1 = 300.0, 800.0
    bands = []
    for row, asker, server in rows:
        wide = weights[row.id]
        ends: list[float] = []
        for key in (("left", asker), ("right", server)):
            ends.append(tops[key] + wide / 2)
            tops[key] += wide + 4
        curve = f"C{(x0 + x1) / 2:.1f},{ends[0]:.1f} {(x0 + x1) / 2:.1f},{ends[1]:.1f}"
        bands.append(
            {
                "path": f"M{x0:.1f},{ends[0]:.1f} {curve} {x1:.1f},{ends[1]:.1f}",
                "width": round(wide, 1),
                "style": tone(row.network),
                "title": f"{row.description}: {size(totals[row.id])}",
            }
        )
    return {"width": 1040, "height": height, "x0": x0, "x1": x1, "nodes": list(nodes.values()), "bands": bands}


def _askers(row: flows.Flow) -> str:
    if flows.ANY in row.clients:
        return "clients"
    text = ", ".join(row.clients)
    return text if len(text) <= 36 else f"{row.clients[0]} and {len(row.clients) - 1} more"


def _flow_rows(model: Model, used: Iterable[flows.Flow], totals: Mapping[str, int]) -> list[dict[str, Any]]:
    used = list(used)
    greatest = max((totals[row.id] for row in used), default=1)
    return [
        {
            "id": row.id,
            "style": tone(row.network),
            "network": row.network,
            "description": row.description,
            "clients": ", ".join(row.clients),
            "servers": row.servers,
            "ports": f"{row.protocol} {', '.join(map(str, flows.ports_of(row, *flows.servers(model, row))))}".strip(),
            "size": size(totals[row.id]),
            "percent": round(100 * totals[row.id] / greatest, 2),
        }
        for row in sorted(used, key=lambda row: (tone(row.network), -totals[row.id]))
    ]


def _realms(entries: Sequence[Mapping[str, Any]], model: Model) -> list[dict[str, Any]]:
    styles = {network.bridge: tone(name) for name, network in model.networks.items()}
    greatest = max((count for entry in entries for count in entry["networks"].values()), default=0) or 1
    realms: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        chips = [
            {
                "bridge": bridge,
                "style": styles.get(bridge, "a"),
                "size": size(count) if count else "none",
                "percent": round(100 * count / greatest, 2),
            }
            for bridge, count in entry["networks"].items()
        ]
        realms.setdefault(entry["realm"], []).append(
            {
                "id": entry["id"],
                "title": entry["title"],
                "ok": entry["ok"],
                "seconds": duration(entry["seconds"]),
                "chips": chips,
                "problems": entry["evidence"].get("problems", []),
                "evidence": [(name, _lines(value)) for name, value in entry["evidence"].items() if name != "problems"],
            }
        )
    return [
        {"name": name, "stories": stories, "ok": all(story["ok"] for story in stories)}
        for name, stories in realms.items()
    ]


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{name}: {item}" for name, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    return [str(value)]


def _run(run: Mapping[str, Any]) -> dict[str, Any]:
    phases = [phase for phase in run["phases"] if phase["seconds"] >= 0.05]
    longest = max((phase["seconds"] for phase in phases), default=1) or 1
    results = [counts["results"] for counts in run["hosts"].values()]
    return {
        "playbook": run["playbook"],
        "ok": run.get("ok", True),
        "seconds": duration(run["seconds"]),
        "results": f"{sum(results)} task results, at most {max(results, default=0)} on a host",
        "phases": [
            {
                "name": phase["name"],
                "seconds": duration(phase["seconds"]),
                "percent": round(100 * phase["seconds"] / longest, 2),
            }
            for phase in phases
        ],
    }


def _versions(versions: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Packages by name; hosts are named only where versions differ."""
    found: dict[str, dict[str, list[str]]] = {}
    for host, packages in sorted(versions.items()):
        for package, version in packages.items():
            found.setdefault(package, {}).setdefault(version, []).append(host)
    return [
        {
            "package": package,
            "versions": [
                {"version": version, "hosts": ", ".join(hosts) if len(by_version) > 1 else ""}
                for version, hosts in by_version.items()
            ],
            "count": sum(len(hosts) for hosts in by_version.values()),
            "differ": len(by_version) > 1,
        }
        for package, by_version in sorted(found.items())
    ]
