# SPDX-License-Identifier: Apache-2.0
"""The check of what roles say against ``schema/service.schema.json`` and ``schema/backend.schema.json``: closed forms.

It is done in each run, where importing ``jsonschema`` would cost more than reading all descriptions, so it takes of
JSON Schema what those files use: ``type``, ``properties``, ``required``, ``additionalProperties``, ``items``, ``enum``,
``pattern`` and ``$ref``. A unit test holds the two checks against each other.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..inventory.schema import KeyPath, did_you_mean, dotted, shown

FOLDER = Path(__file__).resolve().parents[4] / "schema"
_TYPES: Mapping[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
}


Phases = Mapping[str, Collection[str]]
"""The phases that there are, in order, each with the kinds that it applies."""

# What applies each part of a component.
_APPLIED_BY = {
    **dict.fromkeys(("directories", "files", "conf", "owners"), "file"),
    **dict.fromkeys(("units", "api", "daemons"), "unit"),
}


@functools.cache
def document(name: str = "service") -> Mapping[str, Any]:
    """A schema as it stands."""
    found: Mapping[str, Any] = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    return found


def problems(content: Any, where: str, phases: Phases) -> list[str]:
    """What is wrong with a description: a message each, with the file, the key and a fix. ``phases`` there are."""
    return _told(_all(content, phases), where)


def backend_problems(content: Any, where: str) -> list[str]:
    """The same of a type of back end."""
    found = list(_check(content, document("backend"), ()))
    claims = content.get("uses") if isinstance(content, Mapping) else None
    # Those of a description.
    found += _check(claims, document()["properties"]["uses"], ("uses",)) if isinstance(claims, Mapping) else ()
    return _told(found, where)


def protected_problems(content: Any, where: str) -> list[str]:
    """The same of the options that overrides leave alone."""
    return _told(_check(content, document()["$defs"]["protected"], ()), where)


def _told(found: Iterable[tuple[KeyPath, str]], where: str) -> list[str]:
    return [f"{where}: {dotted(path)}: {what}" if path else f"{where}: {what}" for path, what in found]


def _all(content: Any, phases: Phases) -> Iterator[tuple[KeyPath, str]]:
    yield from _check(content, document(), ())
    if isinstance(content, Mapping):
        yield from _phase((), content, {}, "services", phases)
        own = content.get("phase", "services")
        for index, entry in enumerate(content.get("components") or ()):
            yield from _phase(("components", index), entry, _APPLIED_BY, own, phases)
        for index, entry in enumerate(content.get("migrations") or ()):
            yield from _phase(("migrations", index), entry, {"name": "migration"}, own, phases)


def _phase(
    path: KeyPath, entry: Any, needs: Mapping[str, str], own: Any, phases: Phases
) -> Iterator[tuple[KeyPath, str]]:
    """The phase of an entry is there, and applies what the entry has. ``needs``: the kind that applies each key."""
    phase = entry.get("phase", own) if isinstance(entry, Mapping) else None
    if not isinstance(phase, str):
        return
    if phase not in phases:
        if "phase" in entry:
            hint = did_you_mean(phase, phases)
            yield (*path, "phase"), f"there is no phase {phase}. Fix: {hint}Name one of: {', '.join(phases)}."
        return
    for key, kind in needs.items():
        if entry.get(key) and kind not in phases[phase]:
            others = ", ".join(name for name, kinds in phases.items() if kind in kinds)
            yield (*path, key), f"the phase {phase} applies none of it. Fix: Name another phase: {others}."


def _check(value: Any, schema: Mapping[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """What the schema refuses in a value, with the path to it."""
    if "$ref" in schema:
        schema = document()["$defs"][schema["$ref"].rpartition("/")[2]]
    types = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", ())
    if types and not any(_is(value, name) for name in types):
        wanted = " or ".join(_WORDS[name] for name in types)
        yield path, f"is {shown(value, path)}, and must be {wanted}. Fix: {_about(schema)}"
    elif isinstance(value, Mapping):
        yield from _check_mapping(value, schema, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check(item, schema.get("items", {}), (*path, index))
    elif value not in schema.get("enum", (value,)):
        allowed = schema["enum"]
        hint = did_you_mean(str(value), map(str, allowed))
        yield path, f"is {shown(value, path)}. Fix: {hint}Give one of: {', '.join(map(str, allowed))}."
    elif isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield path, f"is {shown(value, path)}, not of the form {schema['pattern']}. Fix: {_about(schema)}"


def _check_mapping(value: Mapping[Any, Any], schema: Mapping[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for key in schema.get("required", ()):
        if key not in value:
            yield (*path, key), f"is missing. Fix: {_about(known.get(key, {}))}"
    for key, item in value.items():
        if key in known:
            yield from _check(item, known[key], (*path, key))
        elif others is False:
            hint = did_you_mean(str(key), known)
            yield (*path, str(key)), f"is no key that is known here. Fix: {hint}Take one of: {', '.join(known)}."
        elif isinstance(others, Mapping):
            yield from _check(item, others, (*path, str(key)))


def _is(value: Any, name: str) -> bool:
    if name == "null":
        return value is None
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _about(schema: Mapping[str, Any]) -> str:
    """What a fix says: the description of what is wanted."""
    about = str(schema.get("description", "Correct it."))
    return f"{about[0].upper()}{about[1:]}"
