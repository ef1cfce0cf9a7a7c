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

RECORDS = "/var/lib/holdfast/migrations"


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "names": [entry["name"] for entry in wanted["migrations"]],
        "packages": sorted({name for entry in wanted["migrations"] for name in entry["packages"]}),
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{done: {name: record or None}, versions: {package: version}}``."""
    done: dict[str, Any] = {}
    for name in asked["names"]:
        record = io.read_text(f"{RECORDS}/{name}.json")
        done[name] = json.loads(record) if record else None
    listed = io.run(["/usr/bin/dpkg-query", "-W", "-f", "${Package}\\t${Version}\\n", *asked["packages"]], check=False)
    versions = dict(line.split("\t", 1) for line in listed.out.splitlines() if "\t" in line)
    return {"done": done, "versions": versions}


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    changes = []
    for entry in wanted["migrations"]:
        done, environment = current["done"].get(entry["name"]), entry.get("environment") or {}
        record = {
            "argv": hashlib.sha256(json.dumps([entry["argv"], environment]).encode()).hexdigest(),
            **{name: current["versions"].get(name) for name in entry["packages"]},
        }
        if done != record:
            before = f"done with {_versions(done)}" if done else "never done"
            after = f"{' '.join(entry['argv'])}\nwith {_versions(record)}"
            changes.append(Change(entry["name"], "run", before, after, data={**entry, "record": record}))
    return Plan(changes)


def _versions(record: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version or '(to be installed)'}" for name, version in record.items() if name != "argv")


def apply(io: IO, plan: Plan) -> None:
    for change in plan:
        entry = change.data
        io.run(entry["argv"], user=entry.get("user"), env=entry.get("environment") or {}, timeout=900)
        io.write(f"{RECORDS}/{entry['name']}.json", json.dumps(entry["record"], indent=1), mode="0600")
