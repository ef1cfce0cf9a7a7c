# SPDX-License-Identifier: Apache-2.0
"""Rules about back ends: each has what its type needs, and nothing that means nothing for it."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ...backend import Backends
from ...errors import Finding
from ..draft import Draft, DraftHost, entries, rule
from ..schema import KeyPath

# Sections of any service that reads its options with oslo.config: its libraries have theirs there too.
_OF_ALL = ("DEFAULT", "oslo_*")

Listed = tuple[DraftHost | None, int, Mapping[str, Any]]


@rule
def keys(draft: Draft) -> Iterator[Finding]:
    """An entry has the keys that its type needs, and no other type's."""
    for of in draft.domain.backends.values():
        of_some = {key for kind in of.types.values() for key in kind.keys}
        slug = of.called.replace(" ", "")
        for host, index, entry in listed(draft, of):
            path: KeyPath = (of.variable, index)
            kind = of.types.get(str(entry.get("type")))
            if kind is None:
                continue
            name = str(entry.get("name", ""))
            if any(fnmatch.fnmatchcase(name.lower(), section.lower()) for section in (*_OF_ALL, *of.reserved)):
                yield draft.error(
                    f"{of.service}.{slug}-reserved",
                    (*path, "name"),
                    f"is {name!r}, a section of {of.service}'s own configuration, which would be written over.",
                    "Give it another name.",
                    host,
                )
            for key in kind.needs:
                if key not in entry and not draft.was_refused((*path, key), host):
                    yield draft.error(
                        f"{of.service}.{slug}-incomplete",
                        (*path, key),
                        f"is missing: a {of.called} of the type {kind.name} needs it.",
                        "Give it, or another type.",
                        host,
                    )
            # What is off is as good as not there.
            for key in sorted(key for key in of_some - kind.keys if entry.get(key) not in (None, False)):
                yield draft.error(
                    f"{of.service}.{slug}-mixed",
                    (*path, key),
                    f"means nothing for a {of.called} of the type {kind.name}.",
                    "Take it out.",
                    host,
                )
            for strange in (protocol for protocol in kind.protocols(entry) if protocol not in kind.serves):
                yield draft.error(
                    f"{of.service}.{slug}-protocol",
                    (*path, "protocols" if "protocols" in entry else "protocol"),
                    f"is {strange!r}, by which no {of.called} of the type {kind.name} is served.",
                    f"Set it to {' or '.join(kind.serves)}.",
                    host,
                )


def listed(draft: Draft, backends: Backends, *, every: bool = False) -> Iterator[Listed]:
    """The entries of a service's back ends with hosts and places; without a host where the variable is everyone's.

    A list that many hosts have alike is told once, on its first; with ``every``, on each of them.
    """
    members = draft.group(backends.group)
    if members and backends.variable in draft.variables:
        yield from ((None, index, entry) for index, entry in entries(draft.variables[backends.variable]))
    told: set[str] = set()
    for host in members:
        here = host.variables.get(backends.variable)
        alike = f"{host.variables.get('holdfast_host_kind')} {json.dumps(here, sort_keys=True, default=str)}"
        if alike in told and not every:
            continue
        told.add(alike)
        yield from ((host, index, entry) for index, entry in entries(here))
