# SPDX-License-Identifier: Apache-2.0
"""The cells of the compute service: which database and message queue each has, by templates.

A template takes names and passwords from nova.conf, so that one that changes touches no row. nova's own command shows
what a template stands for and never the template, so what was entered is kept on the host.
"""

from __future__ import annotations

from typing import Any

from ...base.system import STATE, record, recorded
from ...change import Change, Plan
from ...errors import HoldfastError
from ...host_io import IO

MANAGE = "/usr/bin/nova-manage"
RECORD = f"{STATE}/nova_cells.json"
SECONDS = 300


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{entered: {name: {transport_url, database_connection}}}`` as this host entered them."""
    return {"entered": recorded(io, RECORD) or {}}


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    changes = []
    for cell in wanted["cells"]:
        now = {name: cell[name] for name in ("transport_url", "database_connection")}
        before = current["entered"].get(cell["name"])
        if before != now:
            action = "update" if before else "create"
            changes.append(Change(f"cell {cell['name']}", action, _lines(before or {}), _lines(now), data=cell))
    return Plan(changes)


def _lines(cell: dict[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in cell.items())


def apply(io: IO, plan: Plan) -> None:
    """Lists first: the command that enters a cell does so as often as it is told."""
    known = cells(io.run([MANAGE, "cell_v2", "list_cells"], user="nova", timeout=SECONDS).out)
    entered = recorded(io, RECORD) or {}
    for change in plan:
        cell = change.data
        urls = {name: cell[name] for name in ("transport_url", "database_connection")}
        found = known.get(cell["name"], [])
        if len(found) > 1:
            raise HoldfastError(
                f"There are {len(found)} cells {cell['name']}: {', '.join(found)}. Fix: `nova-manage cell_v2 "
                "delete_cell --cell_uuid UUID` takes one away that has no hosts; then run again."
            )
        option = "--db_connection" if found else "--database_connection"
        verb = ["update_cell", "--cell_uuid", found[0]] if found else ["create_cell"]
        told = ["--name", cell["name"], "--transport-url", urls["transport_url"], option, urls["database_connection"]]
        io.run([MANAGE, "cell_v2", *verb, *told], user="nova", timeout=SECONDS)
        entered[cell["name"]] = urls
        record(io, RECORD, entered)


def cells(table: str) -> dict[str, list[str]]:
    """UUIDs by name, from what ``nova-manage cell_v2 list_cells`` prints."""
    found: dict[str, list[str]] = {}
    for line in table.splitlines():
        columns = [column.strip() for column in line.strip().strip("|").split("|")]
        if len(columns) >= 4 and len(columns[1]) == 36 and columns[1].count("-") == 4:
            found.setdefault(columns[0], []).append(columns[1])
    return found
