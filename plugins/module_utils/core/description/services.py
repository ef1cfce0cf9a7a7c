# SPDX-License-Identifier: Apache-2.0
"""The services that a model deploys: what their descriptions say, evaluated for its hosts. Runs on the controller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..backend import Backends
from ..config import FORMATS, RENDERERS, merge, parse_ini, repeated
from ..errors import HoldfastError
from ..model import Host, Model
from .expressions import Names, View, evaluate, names, render
from .fragments import parts
from .load import Description, backends_of, groups


class Services:
    """The descriptions of the services that a model deploys, seen by the kinds.

    ``phase`` narrows ``components`` to the descriptions of that phase; see ``within``. ``expressions`` is what subjects
    let expressions ask, beside the functions over the model.
    """

    def __init__(
        self,
        descriptions: Sequence[Description],
        model: Model,
        secrets: Mapping[str, str],
        phase: str | None = None,
        expressions: Sequence[Names] = (),
    ) -> None:
        self.descriptions = tuple(
            description
            for description in descriptions
            if any(group == "all" or model.group(group) for group in description.groups)
        )
        self.model = model
        self.secrets = secrets
        self.phase = phase
        self.expressions = expressions
        self._components: dict[tuple[str, str], tuple[dict[str, Any], ...]] = {}

    @property
    def backends(self) -> Mapping[str, Backends]:
        """The types of back ends of each deployed service that has some, by its name."""
        return backends_of(self.descriptions)

    def within(self, phase: str) -> Services:
        """The same services, of which ``components`` yields only those that the phase applies."""
        view = Services(self.descriptions, self.model, self.secrets, phase, self.expressions)
        view._components = self._components
        return view

    def components(self, host: Host) -> Iterator[dict[str, Any]]:
        """What the host gets: each component evaluated, with ``service``, ``files`` rendered to text."""
        for description in self.descriptions:
            if self.phase is not None and self.phase not in description.phases:
                continue
            key = (description.name, host.name)
            if key not in self._components:
                self._components[key] = tuple(self._evaluate_components(description, host))
            for component in self._components[key]:
                if self.phase in (None, component["phase"]):
                    yield component

    def entries(self, name: str) -> Iterator[tuple[Description, Any]]:
        """A top-level entry (``databases``, ``identity``, ...) of every deployed service that has it, evaluated.

        It concerns the deployment and not a host: expressions see the first host by which the service exists.
        """
        for description in self.descriptions:
            if name in description.content:
                yield description, self.evaluate(description, description.content[name], self.first_host(description))

    def first_host(self, description: Description) -> Host:
        """The first member of the first group that has one, among those by which a deployed service exists."""
        return next(
            member
            for group in description.groups
            for member in (self.model.group(group) if group != "all" else self.model.hosts.values())
        )

    def evaluate(self, description: Description, value: Any, host: Host) -> Any:
        """A value of a description with its expressions evaluated for the host."""
        return evaluate(value, self._names(description, host), description.where)

    def _names(self, description: Description, host: Host) -> dict[str, Any]:
        return names(View(self.model, host, self.secrets, description, self.descriptions), self.expressions)

    def _evaluate_components(self, description: Description, host: Host) -> Iterator[dict[str, Any]]:
        where = description.where
        own = [
            component
            for component in description.content.get("components", ())
            if {"all", *host.groups}.intersection(groups(component))
        ]
        context = self._names(description, host) if own else {}
        for component in own:
            if not evaluate(component.get("when", True), context, where):
                continue
            made_of = list(parts(component, description.fragments, context, where))
            apart = {"directories", "files", "units", "when", *description.fragments}
            result = evaluate({name: value for name, value in component.items() if name not in apart}, context, where)
            result["service"] = description.name
            result.setdefault("phase", description.phase)
            result["directories"] = [
                evaluate(_plain(entry), here, where)
                for entry in component.get("directories", ())
                for here in _for_each(entry, context, where)
                if evaluate(entry.get("when", True), here, where)
            ]
            result["units"] = [unit for part, seen in made_of for unit in evaluate(part.get("units", []), seen, where)]
            result["files"] = [
                _render_file(description, result, entry, here, where)
                for part, seen in made_of
                for entry in part.get("files", ())
                for here in _for_each(entry, seen, where)
                if evaluate(entry.get("when", True), here, where)
            ]
            yield result
        types = description.backend_types
        if types and (packages := types.packages(host.groups, host.variables)):
            yield {"service": description.name, "phase": description.phase, "files": [], "packages": packages}


def _for_each(entry: Mapping[str, Any], context: Mapping[str, Any], where: str) -> Iterator[Mapping[str, Any]]:
    """The context itself, or with ``each``, a list, once for each ``item`` of it."""
    if "each" not in entry:
        yield context
        return
    for item in evaluate(entry["each"], context, where):
        yield {**context, "item": item}


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry says of each thing that it stands for."""
    return {name: value for name, value in entry.items() if name not in ("content", "each", "when", "template")}


def _render_file(
    description: Description,
    component: Mapping[str, Any],
    entry: Mapping[str, Any],
    context: Mapping[str, Any],
    where: str,
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "owner": "root",
        "group": component.get("user", "root"),
        "mode": "0640" if component.get("user") else "0644",
        **evaluate(_plain(entry), context, where),
    }
    overrides = result.pop("overrides", None)
    if isinstance(overrides, str):
        overrides = context[overrides]
    form = result.pop("format", "text")
    if "template" in entry:
        text = render(description.templates[entry["template"]], context, f"{where}: {entry['template']}")
        content: Any = parse_ini(text) if form in FORMATS else text
    elif result.get("state", "file") in ("file", "block"):
        content = evaluate(entry["content"], context, f"{where}: {result['path']}")
    else:
        return result
    content = merge(content, overrides) if overrides else content
    if description.repeats and form in FORMATS:
        content = repeated(content, description.repeats)
    try:
        result["content"] = RENDERERS[form](content)
    except HoldfastError as error:
        raise HoldfastError(f"{context['host'].name}: {result['path']}: {error}") from None
    return result
