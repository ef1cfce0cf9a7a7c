# SPDX-License-Identifier: Apache-2.0
"""What services ask of what they use, by their ``uses`` in service.yml: pools with rights, shares with owners.

``uses`` maps what is used to a list of claims. A claim is plain values and expressions, which see variables only,
so that a draft and a model are asked alike. Three keys say for whom it stands:

``of``
    a group: the claim stands once for each of its hosts and sees the host's own variables. Without it, it stands once.
``each``
    a list: the claim stands once for each entry that is a mapping, and sees it as ``item``.
``when``
    whether it stands at all.

Claims that come out the same are one. ``stated`` has each, with the places in the inventory where its values stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import HoldfastError
from ..flows.uses import Claims, claims_of
from ..inventory.draft import Draft, DraftHost
from ..inventory.schema import KeyPath, leaves
from .backends import FOR_WHOM
from .expressions import evaluate

_MISSING = object()
_WORD = re.compile(r"[\w-]+")

Place = tuple[KeyPath, DraftHost | None]
"""Where the inventory says something: the variable and the keys below it, and the host whose own variable it is."""


@dataclass(frozen=True)
class Stated:
    """A claim as it stands for one of those for whom it does.

    Attributes:
        content: its values, without what an expression needs that is not there.
        written: the same as the description has it, with expressions.
        variables: what its expressions see, ``item`` among them.
        host: the host for which it stands, if it is one's.
    """

    content: Mapping[str, Any]
    written: Mapping[str, Any]
    variables: Mapping[str, Any]
    host: DraftHost | None = None

    def place(self, key: str, value: str) -> Place | None:
        """Where the inventory says a value that stands under a key of the claim.

        It is a key that the expressions there name, or else the entry for which the claim stands. None where the
        description says it by itself.
        """
        words = _words(self.written.get(key))
        entry = self._entry()
        item = self.variables["item"] if entry else {}
        below = next((path for path in _paths(item, value) if words.issuperset(_names(path))), None)
        if entry and below:
            return (*entry[0], *below), entry[1]
        named = {name: given for name, given in self.variables.items() if name in words and name != "item"}
        below = next((path for path in _paths(named, value) if words.issuperset(_names(path))), None)
        if below:
            return below, self._owner(str(below[0]))
        return None if _is_literal(value, self.written.get(key)) else entry

    def _entry(self) -> Place | None:
        """The entry for which it stands."""
        for name in sorted(_words(self.written.get("each"))):
            listed = self.variables.get(name)
            if isinstance(listed, (list, tuple)) and self.variables.get("item") in listed:
                return (name, listed.index(self.variables["item"])), self._owner(name)
        return None

    def _owner(self, variable: str) -> DraftHost | None:
        return self.host if self.host and variable in self.host.variables else None


def claims(draft: Draft, *, strict: bool) -> Claims:
    """The claims of all services, by what is used.

    Of an inventory that may be wrong, ``strict`` is false: what an expression needs and is not there is left out.
    Otherwise it raises HoldfastError.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for service in draft.domain.deployable:
        for what, claim in claims_of(service):
            known = found.setdefault(what, [])
            for made in _evaluator(service, what, strict=strict).stated(draft, claim):
                if made.content not in known:
                    known.append(made.content)
    return {what: tuple(made) for what, made in found.items()}


def stated(draft: Draft, used: str) -> Iterator[Stated]:
    """Each claim to what is used, also those that come out the same, of an inventory that may be wrong."""
    for service in draft.domain.deployable:
        for what, claim in claims_of(service):
            if what == used:
                yield from _evaluator(service, what, strict=False).stated(draft, claim)


def _evaluator(service: Mapping[str, Any], what: str, *, strict: bool) -> _Evaluator:
    return _Evaluator(f"roles/{service['service']}/service.yml: uses: {what}", strict)


class _Evaluator:
    """Evaluates the claims of one service."""

    def __init__(self, where: str, strict: bool) -> None:
        self.where = where
        self.strict = strict

    def stated(self, draft: Draft, claim: Mapping[str, Any]) -> Iterator[Stated]:
        """The claim for each of those for whom it stands."""
        plain = {name: value for name, value in claim.items() if name not in FOR_WHOM}
        for host, context in self._contexts(draft, claim):
            if self._value(claim.get("when", True), context) not in (_MISSING, False):
                values = ((name, self._value(value, context)) for name, value in plain.items())
                yield Stated({name: made for name, made in values if made is not _MISSING}, claim, context, host)

    def _contexts(self, draft: Draft, claim: Mapping[str, Any]) -> Iterator[tuple[DraftHost | None, Mapping[str, Any]]]:
        hosts: Iterable[DraftHost | None] = draft.group(claim["of"]) if "of" in claim else [None]
        for host in hosts:
            context = {**draft.variables, **(host.variables if host else {})}
            if "each" not in claim:
                yield host, context
                continue
            items = self._value(claim["each"], context)
            for item in items if isinstance(items, (list, tuple)) else ():
                if isinstance(item, Mapping):
                    yield host, {**context, "item": item}

    def _value(self, value: Any, context: Mapping[str, Any]) -> Any:
        """A value evaluated; of lists and mappings, what can be."""
        if isinstance(value, Mapping):
            made = {name: self._value(part, context) for name, part in value.items()}
            return {name: part for name, part in made.items() if part is not _MISSING}
        if isinstance(value, (list, tuple)):
            return [part for part in (self._value(part, context) for part in value) if part is not _MISSING]
        try:
            return evaluate(value, context, self.where)
        except HoldfastError:
            if self.strict:
                raise
            return _MISSING


def _words(written: Any) -> frozenset[str]:
    """The words of a value's expressions, names of variables and keys among them."""
    return frozenset(_WORD.findall(str(written)))


def _is_literal(value: str, written: Any) -> bool:
    """Whether a description says a value without an expression."""
    parts = written.values() if isinstance(written, Mapping) else written if isinstance(written, list) else [written]
    whole = re.compile(rf"(?<![\w.-]){re.escape(value)}(?![\w.-])")
    return any(whole.search(str(part)) for part in parts if "{{" not in str(part))


def _paths(given: Mapping[str, Any], value: str) -> Iterator[KeyPath]:
    """Where a value stands in a mapping: by itself, or in a list of such."""
    for path, leaf in leaves((), given):
        if str(leaf) == value:
            yield path
        elif isinstance(leaf, (list, tuple)):
            yield from ((*path, index) for index, each in enumerate(leaf) if str(each) == value)


def _names(path: KeyPath) -> set[str]:
    return {key for key in path if isinstance(key, str)}
