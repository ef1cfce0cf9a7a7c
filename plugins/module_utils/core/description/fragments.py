# SPDX-License-Identifier: Apache-2.0
"""Fragments: what services share is said once, in ``roles/holdfast/fragments/``, and a component names it by its key.

``api: {...}`` of a component is the fragment ``api.yml`` for what is given there, and a list is the fragment for each
entry of it. A fragment has ``files`` and ``units`` as a component has, whose expressions also see ``this``: what is
given, over the fragment's ``defaults``; and ``user``, the component's. With ``sections`` it also has pieces of a
configuration file, of which ``this.oslo`` names some; ``sections`` is then these together with ``this.content``.
``protected`` is as a role's ``protected.yml`` has it, of the overrides of a service with such a component.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..config import merge
from .expressions import evaluate

Part = tuple[Mapping[str, Any], Mapping[str, Any]]
"""What has ``files`` and ``units``, and the names that its expressions see."""


def parts(
    component: Mapping[str, Any], fragments: Mapping[str, Any], context: Mapping[str, Any], where: str
) -> Iterator[Part]:
    """What a component is made of, in the order in which it says so: its own files and units, and its fragments."""
    for key, value in component.items():
        if key in ("files", "units"):
            yield {key: value}, context
        elif key in fragments:
            given = evaluate(value, context, f"{where}: {key}")
            for entry in given if isinstance(given, list) else [given]:
                inner = f"roles/holdfast/fragments/{key}.yml for {where}"
                yield fragments[key], _seen(fragments[key], entry, {**context, "user": component.get("user")}, inner)


def _seen(
    fragment: Mapping[str, Any], given: Mapping[str, Any], context: Mapping[str, Any], where: str
) -> Mapping[str, Any]:
    """The names that a fragment's expressions see. A default may depend on what is given, and on those before it."""
    this = dict(given)
    seen = {**context, "this": this}
    for name, default in fragment.get("defaults", {}).items():
        if name not in this:
            this[name] = evaluate(default, seen, where)
    if pieces := fragment.get("sections"):
        chosen: Mapping[str, Any] = {}
        for name in this["oslo"]:
            chosen = merge(chosen, evaluate(pieces[name], seen, f"{where}: {name}"))
        seen["sections"] = _together(chosen, this["content"])
    return seen


def _together(pieces: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """The content over the pieces: its sections in their order, each other before the first that sorts behind it."""
    order = list(content)
    for name in pieces:
        if name not in content:
            behind = next((other for other in content if other > name), None)
            order.insert(order.index(behind) if behind else len(order), name)
    merged = merge(pieces, content)
    return {name: merged[name] for name in order}
