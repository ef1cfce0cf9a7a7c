# SPDX-License-Identifier: Apache-2.0
"""Who uses what, as the descriptions of services say: from it follow the clients of what others offer.

A component of ``roles/<service>/service.yml`` says ``uses: [database, cache]``: all members of its groups do. Who asks
for more than to be let in says so at the service, by a claim. Its ``groups`` use it:
``uses: {share: [{purpose: x, owner: 64061, groups: [x_api]}]}``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from .rows import ANY, FLOWS, Flow

Uses = Mapping[str, tuple[str, ...]]
"""By what is used (``Flow.offers``), the groups that use it, sorted."""

Claims = Mapping[str, tuple[Mapping[str, Any], ...]]
"""By what is used, what services ask of it."""


def of(descriptions: Iterable[Mapping[str, Any]]) -> Uses:
    """Who uses what, from the contents of service.yml."""
    found: dict[str, set[str]] = {}
    for description in descriptions:
        for what, groups in _said(description):
            found.setdefault(what, set()).update(groups)
    return {what: tuple(sorted(groups)) for what, groups in found.items()}


def complete(uses: Uses, networks: Collection[str] = ()) -> tuple[Flow, ...]:
    """The whole table: in each row also the clients that use what it offers, and where it is among ``networks``."""
    return tuple(
        row
        if ANY in row.clients
        else replace(row, clients=tuple(dict.fromkeys((*row.clients, *uses.get(row.offers, ())))))
        for row in (replace(row, network=network_of(row, networks)) if row.prefers else row for row in FLOWS)
    )


def network_of(row: Flow, networks: Collection[str]) -> str:
    """Where a flow is in a deployment with these networks."""
    return row.prefers if row.prefers in networks else row.network


def groups_of(group: str | Iterable[str] | Mapping[str, str], table: Iterable[Flow] = FLOWS) -> tuple[str, ...]:
    """The groups of a component: one, a list, ``{asks: FLOW}`` for its clients, or ``{serves: tls}``."""
    if isinstance(group, str):
        return (group,)
    if not isinstance(group, Mapping):
        return tuple(group)
    if "serves" in group:
        return serving_tls()
    return next(row.clients for row in table if row.id == group["asks"])


def serving_tls() -> tuple[str, ...]:
    """The groups whose hosts show the certificate of their host to who asks them."""
    return tuple(dict.fromkeys(row.servers for row in FLOWS if row.tls))


def _said(description: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for component in description.get("components") or ():
        for what in component.get("uses") or ():
            yield what, groups_of(component["group"])
    for what, claim in claims_of(description):
        yield what, tuple(claim["groups"])


def claims_of(description: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What is used, and each claim that the service has to it, as it stands."""
    for what, given in (description.get("uses") or {}).items():
        yield from ((what, claim) for claim in given)
