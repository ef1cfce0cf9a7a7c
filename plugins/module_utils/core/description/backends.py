# SPDX-License-Identifier: Apache-2.0
"""``roles/<service>/backends/<type>.yml``: what a type of back end is, and what an expression can ask of back ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..backend import Backends, BackendType, Way
from ..flows import FLOWS
from ..model import Host, Model
from . import schema

FOR_WHOM = frozenset({"of", "each", "when"})
"""The keys of a claim that say for whom it stands."""


def load(
    service: str, where: Mapping[str, Any], documents: Mapping[str, Mapping[str, Any]], sections: Iterable[str] = ()
) -> Backends:
    """The types of a service.

    ``where`` is its description's ``backends``; documents are the files, by type; sections are those that it writes.
    """
    types = {name: _type(name, content) for name, content in documents.items()}
    taken = frozenset((*where.get("reserved", ()), *sections))
    return Backends(service, types=types, **{**where, "reserved": taken})


def _type(name: str, content: Mapping[str, Any]) -> BackendType:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
    # An entry may have what its type declares.
    declared = values.pop("declares", {})
    values["allows"] = (*values.get("allows", ()), *(key for key in declared if key not in values.get("needs", ())))
    if isinstance(content.get("reached_by"), list):
        values["reached_by"] = tuple(Way(**way) for way in content["reached_by"])
    return BackendType(name, **values)


def problems(documents: Mapping[str, Any], where: str) -> list[str]:
    """What is wrong with the files of a folder, by type: a message each, with the file, the key and a fix."""
    return [problem for name, content in documents.items() for problem in _problems(content, f"{where}/{name}.yml")]


def _problems(content: Any, where: str) -> Iterator[str]:
    found = schema.backend_problems(content, where)
    yield from found
    if found:
        return
    if strangers := sorted(set(content.get("protected", ())) - set(content.get("options", {}))):
        yield f"{where}: protected: {', '.join(strangers)} is no option. Fix: Name options that it writes."
    for what, claims in content.get("uses", {}).items():
        for index, claim in enumerate(claims):
            for key in sorted(FOR_WHOM & claim.keys()):
                place = f"{where}: uses.{what}[{index}].{key}"
                yield f"{place}: a type's claim stands for each of its entries, and for nobody else. Fix: Take it out."
    if (content.get("clustered") == "by_class") != ("classes" in content):
        yield f"{where}: classes: goes with clustered: by_class. Fix: Give both, or neither."


def expressions(
    backends: Backends,
    model: Model,
    host: Host,
    evaluate: Callable[[Any, Mapping[str, Any]], Any],
    secret: Callable[[str], str],
) -> Mapping[str, Callable[..., Any]]:
    """What expressions can ask of a host's back ends. ``evaluate`` gives a value with its expressions, of an ``item``.

    ``backends(type)``
        The host's entries, or those of a type, each with ``clustered`` and the ``protocol`` by which it is served.
    ``backend_sections()``
        What is written for each, by its name and by option, with its own ``options`` and ``secret_options`` over it.
    ``backend_inputs()``
        The files that all of them read, each once.
    """
    locked = any(model.group(row.servers) for row in FLOWS if row.offers == "lock")

    def listed(wanted: str | None = None) -> list[dict[str, Any]]:
        return [
            {
                **entry,
                **({"protocol": kind.protocol(entry)} if kind.serves else {}),
                "clustered": kind.is_clustered(entry, locked=locked),
            }
            for kind, entry in backends.listed(host.groups, host.variables)
            if wanted in (None, kind.name)
        ]

    def options(entry: Mapping[str, Any]) -> dict[str, Any]:
        written = dict(evaluate({**backends.options, **backends.types[entry["type"]].options}, entry))
        written.update(entry.get("options") or {})
        for name, of in (entry.get("secret_options") or {}).items():
            written[name] = secret(of) if isinstance(of, str) else [secret(each) for each in of]
        return written

    def inputs() -> list[str]:
        found = (evaluate(list(backends.types[entry["type"]].inputs), entry) for entry in listed())
        return list(dict.fromkeys(path for paths in found for path in paths))

    return {
        "backends": listed,
        "backend_sections": lambda: {entry["name"]: options(entry) for entry in listed()},
        "backend_inputs": inputs,
    }
