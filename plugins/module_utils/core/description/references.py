# SPDX-License-Identifier: Apache-2.0
"""What a description refers to is there: groups, flows, templates, domains and variables by their names.

It is done in each run, so it asks only what is in memory, and of variables the texts that declare them.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..flows import ANY, Flow
from ..inventory.schema import KeyPath, did_you_mean, dotted

Found = Iterator[tuple[KeyPath, str]]


class Described(Protocol):
    """What is asked of a description: see ``load.Description``."""

    @property
    def role(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def where(self) -> str: ...
    @property
    def content(self) -> Mapping[str, Any]: ...
    @property
    def templates(self) -> Mapping[str, str]: ...
    @property
    def backends(self) -> Mapping[str, Any]: ...
    @property
    def protected(self) -> Sequence[Mapping[str, Any]]: ...


# As near as this, a group of which no row knows is a misspelt one of those that rows know.
_MISSPELT = 0.85


@dataclass(frozen=True)
class _Known:
    """What there is, by name."""

    flows: Mapping[str, Flow]
    offers: frozenset[str]
    rows: frozenset[str]
    groups: frozenset[str]
    variables: Collection[str]


def problems(descriptions: Iterable[Described], table: Iterable[Flow], variables: Collection[str]) -> list[str]:
    """What refers to nothing, in descriptions of the right form: a message each, with the file, the key and a fix.

    ``variables`` are those that the roles declare.
    """
    given, rows = tuple(descriptions), tuple(table)
    named = frozenset(group for row in rows for group in (row.servers, *row.clients)) - {ANY}
    own = {group for each in given for part in each.content["components"] for group in _listed(part["group"])}
    own |= {group for each in given for of in each.content.get("derived_groups", {}).values() for group in of["of"]}
    known = _Known(
        {row.id: row for row in rows},
        frozenset(row.offers for row in rows if row.offers),
        named,
        named | own,
        variables,
    )
    found = [*_twice(given)]
    for each in given:
        found += [f"{each.where}: {dotted(path)}: {what}" for path, what in _all(each, known)]
        where = f"roles/{each.role}/protected.yml"
        for index, entry in enumerate(each.protected):
            if "variable" in entry:
                said = _variable((index, "variable"), entry["variable"], known)
                found += [f"{where}: {dotted(path)}: {what}" for path, what in said]
        for name, type_ in each.backends.items():
            where = f"roles/{each.role}/backends/{name}.yml"
            found += [f"{where}: {dotted(path)}: {what}" for path, what in _type(type_, known)]
    return found


def _twice(descriptions: Iterable[Described]) -> Iterator[str]:
    first: dict[str, str] = {}
    for each in descriptions:
        if (other := first.setdefault(each.name, each.where)) != each.where:
            yield f"{each.where}: service: is {each.name!r}, as in {other}. Fix: Give each a name of its own."


def _all(description: Described, known: _Known) -> Found:
    content = description.content
    yield from _components(description, known)
    for key in ("deployed_by", "secrets_for", "lone"):
        yield from _groups((key,), content.get(key, ()), known)
    for key in ("needs", "members"):
        for group, needed in content.get(key, {}).items():
            yield from _groups((key,), [group], known)
            yield from _groups((key, group), needed if key == "needs" else (), known)
    for name, of in content.get("derived_groups", {}).items():
        if name not in known.rows:
            yield ("derived_groups", name), _unknown(name, "no group of the flow table", known.rows)
        for group in of["of"]:
            yield from _own_group(("derived_groups", name, "of"), group, known)
        yield from _groups(("derived_groups", name, "where"), [of["where"]] if "where" in of else (), known)
    for index, entry in enumerate(content.get("migrations", ())):
        yield from _group(("migrations", index, "group"), entry["group"], known)
    for index, entry in enumerate(content.get("balancer", ())):
        yield from _flow(("balancer", index, "flow"), entry["flow"], known, balanced=True)
    yield from _identity(content.get("identity", {}), known)
    yield from _claims(content.get("uses", {}), known)
    if where := content.get("backends"):
        yield from _group(("backends", "group"), where["group"], known)
        yield from _variable(("backends", "variable"), where["variable"], known)
    if "external" in content:
        yield from _variable(("external",), content["external"], known)


def _components(description: Described, known: _Known) -> Found:
    for index, part in enumerate(description.content["components"]):
        path: KeyPath = ("components", index)
        group = part["group"]
        if isinstance(group, Mapping):
            if len(group) != 1:
                yield (*path, "group"), "names no hosts. Fix: Give asks with a flow, or serves: tls, and not both."
            elif "asks" in group:
                yield from _flow((*path, "group", "asks"), group["asks"], known)
        for name in _listed(group):
            yield from _own_group((*path, "group"), name, known)
        for place, what in enumerate(part.get("uses", ())):
            if what not in known.offers:
                yield (*path, "uses", place), _unknown(what, "what no flow offers", known.offers)
        if "api" in part:
            yield from _flow((*path, "api", "flow"), part["api"]["flow"], known)
        for place, file in enumerate(part.get("files", ())):
            yield from _file((*path, "files", place), file, description.templates)


def _file(path: KeyPath, file: Mapping[str, Any], templates: Collection[str]) -> Found:
    if "template" in file:
        if file["template"] not in templates:
            yield (*path, "template"), _unknown(file["template"], "no file in templates of the role", templates)
    elif "content" not in file and file.get("state", "file") in ("file", "block"):
        yield path, "has neither content nor template. Fix: Give one of them."


def _identity(identity: Mapping[str, Any], known: _Known) -> Found:
    domains = [entry["name"] for entry in identity.get("domains", ())]
    for index, user in enumerate(identity.get("users", ())):
        if "domain" in user and user["domain"] not in domains:
            what = _unknown(user["domain"], "none of its domains", domains, "Enter it under identity.domains.")
            yield ("identity", "users", index, "domain"), what
    for index, service in enumerate(identity.get("services", ())):
        if "endpoint" in service:
            path = ("identity", "services", index, "endpoint", "flow")
            yield from _flow(path, service["endpoint"]["flow"], known, balanced=True)


def _type(content: Mapping[str, Any], known: _Known) -> Found:
    for protocol, group in content.get("serves", {}).items():
        if group not in known.rows:
            yield ("serves", protocol), _unknown(group, "no group of the flow table", known.rows)
    yield from _claims(content.get("uses", {}), known)


def _claims(uses: Mapping[str, Any], known: _Known) -> Found:
    for what, claims in uses.items():
        for index, claim in enumerate(claims):
            path: KeyPath = ("uses", what, index)
            for key in ("groups", "reads_of"):
                yield from _groups((*path, key), claim.get(key, ()), known)
            yield from _groups((*path, "of"), [claim["of"]] if "of" in claim else (), known)
            yield from _groups((*path, "may_write"), claim.get("may_write", {}).values(), known)


def _own_group(path: KeyPath, group: str, known: _Known) -> Found:
    """A group that no row knows is one of clients alone, unless it is written nearly as one that a row knows."""
    if group not in known.rows and difflib.get_close_matches(group, known.rows, n=1, cutoff=_MISSPELT):
        yield path, _unknown(group, "no group of the flow table", known.rows)


def _groups(path: KeyPath, groups: Iterable[str], known: _Known) -> Found:
    for group in groups:
        yield from _group(path, group, known)


def _group(path: KeyPath, group: str, known: _Known) -> Found:
    if group not in known.groups:
        fix = "Name one of the flow table, or of a component."
        yield path, _unknown(group, "no group of the flow table and of no component", known.groups, fix)


def _flow(path: KeyPath, flow: str, known: _Known, *, balanced: bool = False) -> Found:
    if flow not in known.flows:
        yield path, _unknown(flow, "no flow", known.flows, "Name one of core/flows/rows.py, or add it there.")
    elif balanced and not known.flows[flow].balanced:
        there = [name for name, row in known.flows.items() if row.balanced]
        yield path, _unknown(flow, "a flow that is not behind the load balancer", there)


def _variable(path: KeyPath, variable: str, known: _Known) -> Found:
    if variable not in known.variables:
        fix = "Declare it in meta/variables.yml of its role, or name one that is."
        yield path, _unknown(variable, "no variable of a role", known.variables, fix)


def _unknown(name: str, what: str, there: Collection[str], fix: str = "") -> str:
    fix = fix or f"Give one of: {', '.join(sorted(there)) or 'none'}."
    return f"is {name!r}, {what}. Fix: {did_you_mean(name, there)}{fix}"


def _listed(group: Any) -> tuple[str, ...]:
    """The groups of a component that are written there."""
    return (group,) if isinstance(group, str) else tuple(group) if isinstance(group, list) else ()
