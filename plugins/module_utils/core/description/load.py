# SPDX-License-Identifier: Apache-2.0
"""Service descriptions as they stand: ``roles/<service>/service.yml``, read and checked. See docs/services.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from ..backend import Backends
from ..errors import HoldfastError
from ..flows import all_rows, uses
from ..inventory.domain import Overrides, Protection
from ..inventory.schema import did_you_mean
from . import backends, references, schema

FRAGMENTS = "holdfast/fragments"
PROTECTED = "protected.yml"
_NAME = re.compile(r"^([a-z][a-z0-9_]*):", re.M)
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Description:
    """One service.yml as it stands, with the role it came from and what the role has beside it.

    Attributes:
        templates: the role's, and the fragments', by name.
        backends: the role's types of back ends, by name.
        fragments: what services share, by the key that names it.
        protected: the options that its overrides leave alone: ``protected.yml``.
    """

    role: str
    content: Mapping[str, Any]
    templates: Mapping[str, str]
    backends: Mapping[str, Any] = field(default_factory=dict)
    fragments: Mapping[str, Any] = field(default_factory=dict)
    protected: Sequence[Mapping[str, Any]] = ()

    @property
    def name(self) -> str:
        return str(self.content["service"])

    @property
    def where(self) -> str:
        """The file, as messages name it."""
        return f"roles/{self.role}/service.yml"

    @cached_property
    def backend_types(self) -> Backends | None:
        """The types of its back ends; None for a service that has none."""
        where = self.content.get("backends")
        return backends.load(self.name, where, self.backends, self.sections) if where else None

    @cached_property
    def used(self) -> tuple[Mapping[str, Any], ...]:
        """The fragments of its components."""
        keys = {key for component in self.content.get("components", ()) for key in component if key in self.fragments}
        return tuple(self.fragments[key] for key in sorted(keys))

    @cached_property
    def repeats(self) -> tuple[str, ...]:
        """Patterns of the options of which each value has a line of its own."""
        return tuple(self.content.get("repeats", ()))

    @cached_property
    def sections(self) -> frozenset[str]:
        """The sections of its configuration that it writes itself."""
        given = [each["conf"] for each in self.content.get("components", ()) if "conf" in each]
        pieces = {name: content for each in self.used for name, content in each.get("sections", {}).items()}
        chosen = [pieces[name] for conf in given for name in conf.get("oslo", ()) if name in pieces]
        return frozenset(name for each in (*chosen, *(conf.get("content", {}) for conf in given)) for name in each)

    @property
    def overrides(self) -> Overrides:
        """What is known of the variable that is laid over its configuration."""
        variable = f"{self.name}_conf_overrides"
        entries = [*self.protected, *(entry for each in self.used for entry in each.get("protected", ()))]
        files = [file for component in self.content.get("components", ()) for file in component.get("files", ())]
        over = [file for file in files if variable in str(file.get("overrides"))]
        formats = {_key(file["overrides"]): file["format"] for file in over}
        for each in self.used:
            formats |= dict.fromkeys([""] if "sections" in each else [], each["files"][0].get("format"))
        return Overrides(
            protected=tuple(
                Protection(
                    option,
                    str(entry["because"]),
                    unless=tuple(entry.get("unless", ())),
                    of=tuple(entry.get("of", ())),
                    at_most=entry.get("at_most"),
                    variable=entry.get("variable", ""),
                    of_backends=bool(entry.get("of_backends")),
                )
                for entry in entries
                for option in entry["options"]
            ),
            formats=formats,
        )

    @property
    def phase(self) -> str:
        return str(self.content.get("phase", "services"))

    @property
    def phases(self) -> frozenset[str]:
        """The phases of its components: its own, but for those that name another."""
        return frozenset(component.get("phase", self.phase) for component in self.content.get("components", ()))

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups by whose members the service exists: ``deployed_by``, else all that get something of it."""
        components = self.content.get("components", ())
        return tuple(
            self.content.get("deployed_by") or dict.fromkeys(g for component in components for g in groups(component))
        )


def backends_of(descriptions: Iterable[Description]) -> dict[str, Backends]:
    """The types of back ends of each service that has some, by its name."""
    return {found.name: found.backend_types for found in descriptions if found.backend_types}


def overrides_of(descriptions: Iterable[Description]) -> dict[str, Overrides]:
    """By variable of overrides, what is known of it."""
    return {f"{found.name}_conf_overrides": found.overrides for found in descriptions}


def _key(expression: str) -> str:
    """The key of a variable of overrides that an expression takes; empty when it takes all of it."""
    found = re.search(r"\.get\('([^']+)'", expression)
    return found.group(1) if found else ""


def groups(component: Mapping[str, Any]) -> tuple[str, ...]:
    """The groups of a component: one, or a list of them."""
    return uses.groups_of(component["group"])


def load(roles: Path, phases: schema.Phases) -> tuple[Description, ...]:
    """Every role's service.yml, by role name, but for those that say after whom they come.

    Raises HoldfastError with all that is wrong in them. ``phases`` are those that there are, with their kinds.
    """
    fragments = {path.stem: read(path) for path in sorted((roles / FRAGMENTS).glob("*.yml"))}
    shared = {file.name: file.read_text() for file in sorted((roles / FRAGMENTS).glob("*.j2"))}
    found = []
    problems = []
    for path in sorted(roles.glob("*/service.yml")):
        templates = {file.name: file.read_text() for file in sorted((path.parent / "templates").glob("*.j2"))}
        types = {file.stem: read(file) for file in sorted((path.parent / "backends").glob("*.yml"))}
        protected = read(file) if (file := path.with_name(PROTECTED)).exists() else []
        description = Description(path.parent.name, read(path), {**shared, **templates}, types, fragments, protected)
        problems += schema.problems(description.content, description.where, phases)
        problems += schema.protected_problems(protected, f"roles/{description.role}/{PROTECTED}")
        problems += backends.problems(types, f"roles/{description.role}/backends")
        found.append(description)
    if problems:
        raise HoldfastError("\n".join(problems))
    declared = {name for path in roles.glob("*/meta/variables.yml") for name in _NAME.findall(path.read_text())}
    if problems := references.problems(found, all_rows(), declared):
        raise HoldfastError("\n".join(problems))
    return ordered(expanded(found))


def expanded(descriptions: Iterable[Description]) -> tuple[Description, ...]:
    """The descriptions with the claims of their types of back ends, and in each component a list of its groups."""
    found = [replace(each, content={**each.content, "uses": _claims(each)}) for each in descriptions]
    table = uses.complete(uses.of(description.content for description in found))
    return tuple(
        replace(
            description,
            content={
                **description.content,
                "components": [
                    {**component, "group": list(uses.groups_of(component["group"], table))}
                    for component in description.content.get("components", ())
                ],
            },
        )
        for description in found
    )


def _claims(description: Description) -> dict[str, list[Any]]:
    """The claims of a service's types of back ends, which stand for each entry of the type, and its own."""
    found: dict[str, list[Any]] = {}
    if types := description.backend_types:
        for name, type_ in types.types.items():
            here = f"{{{{ item.type == '{name}' }}}}"
            entries = {"of": types.group, "each": f"{{{{ {types.variable} }}}}", "when": here}
            for what, claims in type_.uses.items():
                found.setdefault(what, []).extend({**claim, **entries} for claim in claims)
    for what, claims in description.content.get("uses", {}).items():
        found.setdefault(what, []).extend(claims)
    return found


def read(path: Path) -> Any:
    """The content of a YAML file. Raises HoldfastError when it is none."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_YAML)  # noqa: S506 - a safe loader, the fast one
    except yaml.YAMLError as error:
        raise HoldfastError(f"{path}: not valid YAML: {error}") from error


def ordered(descriptions: Iterable[Description]) -> tuple[Description, ...]:
    """The descriptions, each behind those that it names in ``after``, and otherwise as they stand.

    Raises HoldfastError for a name that no service has, and for two that wait for each other.
    """
    by_name = {description.name: description for description in descriptions}
    for description in by_name.values():
        for name in description.content.get("after", ()):
            if name not in by_name:
                hint = did_you_mean(name, by_name)
                raise HoldfastError(
                    f"{description.where}: after: no service is named {name}. Fix: {hint}Name one that there is."
                )
    placed: dict[str, Description] = {}
    order = TopologicalSorter({name: found.content.get("after", ()) for name, found in by_name.items()})
    try:
        order.prepare()
    except CycleError as error:
        circle = " after ".join(reversed(error.args[1]))
        first = by_name[error.args[1][0]].where
        raise HoldfastError(f"{first}: after: {circle} is a circle. Fix: take one of them out of `after`.") from error

    def place(name: str) -> None:
        for earlier in by_name[name].content.get("after", ()):
            place(earlier)
        placed.setdefault(name, by_name[name])

    for name in by_name:
        place(name)
    return tuple(placed.values())
