# SPDX-License-Identifier: Apache-2.0
"""Cells are entered once, and by templates."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.nova.kinds import nova_cell

CELL = {"name": "cell1", "transport_url": "{scheme}://{hostname}/{path}", "database_connection": "{scheme}://{path}"}
URLS = {name: CELL[name] for name in ("transport_url", "database_connection")}
UUID = "0f4a9c52-6c1d-4b38-9f5e-5a1d3a6b7c8d"
TABLE = """\
+-------+--------------------------------------+---------------+---------------------+----------+
|  Name |                 UUID                 | Transport URL | Database Connection | Disabled |
+-------+--------------------------------------+---------------+---------------------+----------+
| cell0 | 00000000-0000-0000-0000-000000000000 |    none:/     | mysql+pymysql://x   |  False   |
{rows}+-------+--------------------------------------+---------------+---------------------+----------+
"""


def table(*uuids: str) -> str:
    rows = (f"| cell1 | {uuid} | rabbit://x | mysql+pymysql://x | False |\n" for uuid in uuids)
    return TABLE.format(rows="".join(rows))


class Host:
    """Answers what nova-manage lists, and keeps what it is told."""

    def __init__(self, listed: str) -> None:
        self.listed, self.told = listed, []  # type: ignore[var-annotated]
        self.files: dict[str, str] = {}

    def run(self, argv: list[str], **_: Any) -> Any:
        self.told.append(argv[2:])
        return type("Done", (), {"out": self.listed})

    def read_text(self, path: str) -> str | None:
        return self.files.get(path)

    def write(self, path: str, content: Any, **_: Any) -> None:
        self.files[path] = content

    def makedirs(self, path: str, **_: Any) -> None:
        """Nothing has to be there before."""


def applied(listed: str) -> Host:
    host = Host(listed)
    plan = nova_cell.plan({"entered": {}}, {"cells": [CELL]})
    nova_cell.apply(host, plan)  # type: ignore[arg-type]
    return host


def test_what_was_entered_is_left_alone():
    assert list(nova_cell.plan({"entered": {"cell1": URLS}}, {"cells": [CELL]})) == []


def test_what_differs_is_an_update():
    before = {"cell1": {**URLS, "transport_url": "rabbit://nova:password@host/nova"}}
    assert [change.action for change in nova_cell.plan({"entered": before}, {"cells": [CELL]})] == ["update"]


def test_the_table_of_cells_is_read():
    assert nova_cell.cells(table(UUID)) == {"cell0": ["00000000-0000-0000-0000-000000000000"], "cell1": [UUID]}


def test_a_cell_that_is_not_listed_is_made():
    assert applied(table()).told[1][:2] == ["create_cell", "--name"]


def test_a_cell_that_is_listed_is_changed_and_not_made_again():
    # A run that was killed after it had made the cell.
    assert applied(table(UUID)).told[1][:3] == ["update_cell", "--cell_uuid", UUID]


def test_two_cells_of_one_name_are_for_an_operator():
    with pytest.raises(HoldfastError, match="There are 2 cells cell1"):
        applied(table(UUID, UUID.replace("0", "1")))
