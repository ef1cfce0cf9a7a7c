# SPDX-License-Identifier: Apache-2.0
"""What a variable that lists back ends takes follows from the files of their types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import declarations
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

POOL = {"description": "Pool of Ceph.", "type": "string"}
SLOTS = {"description": "How many tapes it holds.", "type": "integer", "minimum": 1}
TYPES = {
    "rbd": {"title": "Ceph", "needs": ["pool"], "declares": {"pool": POOL}},
    "tape": {"title": "shelves of tapes", "allows": ["pool", "label"], "declares": {"slots": SLOTS}},
    "void": {"title": "nothing"},
}


def variable(**type_: Any) -> dict[str, Any]:
    """A variable of lists whose entries have a name, a type and a label."""
    properties = {
        "name": {"description": "Its name.", "type": "string"},
        "type": {"description": "What it is.", "type": "string", **type_},
        "label": {"description": "What is written on it.", "type": "string"},
    }
    entry = {
        "description": "A back end.",
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "type"],
        "properties": properties,
    }
    return {"description": "Back ends.", "type": "array", "items": entry}


def declared(types: dict[str, Any], schema: dict[str, Any] | None = None) -> Any:
    """The keys of an entry."""
    given = schema or variable(**{"x-backends": True})
    found = declarations.declare({"store": ({"store_backends": given}, {})}, {"store": types})
    return found.variables["store_backends"].schema["items"]["properties"]


def test_types_are_the_names_of_the_files_and_keys_what_they_declare() -> None:
    found = declared(TYPES)
    assert list(found) == ["name", "type", "pool", "slots", "label"]
    assert found["type"]["enum"] == ["rbd", "tape", "void"]
    assert {key: form["description"] for key, form in found.items()} == {
        "name": "Its name.",
        "type": "What it is. rbd: Ceph; tape: shelves of tapes; void: nothing.",
        "pool": "Pool of Ceph. For rbd and tape.",
        "slots": "How many tapes it holds. For tape.",
        "label": "What is written on it. For tape.",
    }
    assert (found["slots"]["type"], found["slots"]["minimum"]) == ("integer", 1)


def test_what_is_declared_is_left_as_it_was() -> None:
    given = variable(**{"x-backends": True})
    declared(TYPES, given)
    assert given == variable(**{"x-backends": True})
    assert POOL["description"] == "Pool of Ceph."


def test_variables_that_list_something_else_stay_as_they_are() -> None:
    plain = {"description": "X.", "type": "array", "items": {"description": "One.", "type": "string"}}
    schemas = {"store_backends": variable(**{"x-backends": True}), "store_names": plain, "store_types": variable()}
    found = declarations.declare({"store": (schemas, {}), "other": ({"other_x": plain}, {})}, {"store": TYPES})
    assert found.variables["store_names"].schema == plain
    assert found.variables["store_types"].schema == variable()
    assert found.variables["other_x"].schema == plain


@pytest.mark.parametrize(
    ("types", "said"),
    [
        ({}, "store/meta/variables.yml: store_backends lists back ends, and the role has no type"),
        (
            {"x": {"needs": ["lable"]}},
            "backends/x.yml: 'lable' of needs or allows is declared nowhere. Fix: Did you mean label",
        ),
        ({"x": {"allows": ["robot"]}}, "backends/x.yml: 'robot' of needs or allows is declared nowhere. Fix: Give its"),
        ({"x": {"declares": {"label": POOL}}}, "x.yml: declares.label: is declared already, in meta/variables.yml"),
        ({"x": {"declares": {"type": POOL}}}, "x.yml: declares.type: is declared already, in meta/variables.yml"),
        (
            {"a": {"declares": {"pool": POOL}}, "b": {"declares": {"pool": POOL}}},
            "b.yml: declares.pool: is declared already, in backends/a.yml. Fix: Take it out here",
        ),
        (
            {"x": {"declares": {"pool": {"type": "string"}}}},
            "x.yml: declares.pool: is no schema that has a description",
        ),
        ({"x": {"declares": {"pool": "text"}}}, "x.yml: declares.pool: is no schema that has a description"),
        ({"x": {"declares": {"pool": {**POOL, "default": "p"}}}}, "x.yml: declares.pool: has a default"),
    ],
)
def test_what_does_not_fit_is_refused_by_file_and_key(types: dict[str, Any], said: str) -> None:
    with pytest.raises(HoldfastError) as refused:
        declared(types)
    assert said in str(refused.value)
    assert " Fix: " in str(refused.value)


@pytest.mark.parametrize("schema", [variable(), variable(**{"x-backends": False}), {"description": "X."}])
def test_types_that_no_variable_takes_are_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(
        HoldfastError, match=r"store/meta/variables.yml: no variable takes the types .*: rbd, tape, void"
    ):
        declared(TYPES, schema)


@pytest.mark.parametrize("content", [{"needs": "pool"}, {"allows": 3}, {"declares": ["pool"]}, {"title": None}])
def test_a_file_of_another_form_breaks_nothing_here(content: dict[str, Any]) -> None:
    """The form of the files is checked with the descriptions."""
    assert declared({"x": content})["type"]["enum"] == ["x"]


def test_files_are_read_by_role(tmp_path: Path) -> None:
    for role in ("store", "other"):
        (tmp_path / role / "meta").mkdir(parents=True)
    (tmp_path / "store/backends").mkdir()
    (tmp_path / "store/backends/tape.yml").write_text("title: shelves\ndeclares: {slots: {description: Slots.}}\n")
    (tmp_path / "store/meta/variables.yml").write_text(
        "store_backends: {description: X., type: array, items: {description: One., type: object, properties: "
        "{type: {description: Which., type: string, x-backends: true}}}}\n"
    )
    (tmp_path / "other/meta/variables.yml").write_text("other_x: {description: X., type: string}\n")
    found = declarations.load_roles(tmp_path)
    assert found.variables["store_backends"].schema["items"]["properties"]["type"]["enum"] == ["tape"]
    assert found.prefixes == ("other_", "store_")
    (tmp_path / "store/backends/tape.yml").write_text("[")
    with pytest.raises(HoldfastError, match=r"tape.yml: not valid YAML"):
        declarations.load_roles(tmp_path)


@pytest.mark.parametrize(("name", "role"), [("cinder_backends", "cinder"), ("glance_stores", "glance")])
def test_the_types_of_the_services_are_their_files(name: str, role: str) -> None:
    files = sorted(path.stem for path in (cases.ROOT / "roles" / role / "backends").glob("*.yml"))
    assert cases.roles().variables[name].schema["items"]["properties"]["type"]["enum"] == files
