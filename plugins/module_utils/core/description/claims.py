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

Claims that come out the same are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..errors import HoldfastError
from ..flows.uses import Claims, claims_of
from ..inventory.draft import Draft
from .backends import FOR_WHOM
from .expressions import evaluate

_MISSING = object()


def claims(draft: Draft, *, strict: bool) -> Claims:
    """The claims of all services, by what is used.

    Of an inventory that may be wrong, ``strict`` is false: what an expression needs and is not there is left out.
    Otherwise it raises HoldfastError.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for service in draft.domain.services:
        where = f"roles/{service['service']}/service.yml: uses"
        for what, claim in claims_of(service):
            evaluator = _Evaluator(f"{where}: {what}", strict)
            known = found.setdefault(what, [])
            for made in evaluator.claims(draft, claim):
                if made not in known:
                    known.append(made)
    return {what: tuple(made) for what, made in found.items()}


class _Evaluator:
    """Evaluates the claims of one service."""

    def __init__(self, where: str, strict: bool) -> None:
        self.where = where
        self.strict = strict

    def claims(self, draft: Draft, claim: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The claim for each of those for whom it stands."""
        plain = {name: value for name, value in claim.items() if name not in FOR_WHOM}
        for context in self._contexts(draft, claim):
            if self._value(claim.get("when", True), context) not in (_MISSING, False):
                yield {name: made for name, value in plain.items() if (made := self._value(value, context)) != _MISSING}

    def _contexts(self, draft: Draft, claim: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        hosts: Iterable[Mapping[str, Any]] = [{}]
        if "of" in claim:
            hosts = (host.variables for host in draft.group(claim["of"]))
        for own in hosts:
            context = {**draft.variables, **own}
            if "each" not in claim:
                yield context
                continue
            items = self._value(claim["each"], context)
            for item in items if isinstance(items, (list, tuple)) else ():
                if isinstance(item, Mapping):
                    yield {**context, "item": item}

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
