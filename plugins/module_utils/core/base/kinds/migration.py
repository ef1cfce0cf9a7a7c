# SPDX-License-Identifier: Apache-2.0
"""Commands that bring a service's stored state to its installed version: schema migrations, the identity bootstrap.

Each runs on one host when it has not yet succeeded with the package versions, arguments and environment of now;
success is kept on that host. The commands themselves may be run twice without harm, so a killed run repeats them.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ...change import Change, Plan
from ...host_io import IO
from ..system import STATE, record, recorded, versions

RECORDS = f"{STATE}/migrations"


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "names": [entry["name"] for entry in wanted["migrations"]],
        "packages": sorted({name for entry in wanted["migrations"] for name in entry["packages"]}),
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{done: {name: record or None}, versions: {package: version}}``."""
    return {
        "done": {name: recorded(io, f"{RECORDS}/{name}.json") for name in asked["names"]},
        "versions": versions(io, asked["packages"]),
    }


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    changes = []
    for entry in wanted["migrations"]:
        done, environment = current["done"].get(entry["name"]), entry.get("environment") or {}
        due = {
            "argv": hashlib.sha256(json.dumps([entry["argv"], environment]).encode()).hexdigest(),
            **{name: current["versions"].get(name) for name in entry["packages"]},
        }
        if done != due:
            before = f"done with {_versions(done)}" if done else "never done"
            after = f"{' '.join(entry['argv'])}\nwith {_versions(due)}"
            changes.append(Change(entry["name"], "run", before, after, data={**entry, "record": due}))
    return Plan(changes)


def _versions(record: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version or '(to be installed)'}" for name, version in record.items() if name != "argv")


def apply(io: IO, plan: Plan) -> None:
    for change in plan:
        entry = change.data
        io.run(entry["argv"], user=entry.get("user"), env=entry.get("environment") or {}, timeout=900)
        record(io, f"{RECORDS}/{entry['name']}.json", entry["record"])
