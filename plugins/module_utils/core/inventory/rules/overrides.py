# SPDX-License-Identifier: Apache-2.0
"""Rules about conf_overrides: they reach any option but those that hold the deployment together."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import Finding
from ..draft import Draft, DraftHost, rule
from ..schema import KeyPath, dotted, shown

# Of any service. What else a service's overrides leave alone, its description says, and what it is made of.
_ADDRESSES = ("*.bind_ip", "*.bind_port", "*.bind_host")
_ANYWHERE = dict.fromkeys(_ADDRESSES, "addresses and ports are those of the flow table, which the firewall knows")

# What a section and an option may be called so that the file still means the same. Ansible evaluates no keys.
_SECTION = re.compile(r"(?!.*\{\{)[^\s\[\]]([^\[\]\r\n]*[^\s\[\]])?")
_OPTION = re.compile(r"(?!.*\{\{)[^\s=:\[\]#;]([^=:\[\]\r\n]*[^\s=:\[\]])?")


@rule
def protected(draft: Draft) -> Iterator[Finding]:
    """Overrides leave alone what the rest of the deployment relies on."""
    for owner, path, wanted in _overrides(draft):
        option = dotted(path[1:]).lower()
        patterns = {**_ANYWHERE, **draft.domain.protected.get(str(path[0]), {})}
        for reason in {why for pattern, why in patterns.items() if fnmatch.fnmatchcase(option, pattern.lower())}:
            yield draft.error(
                "overrides.protected",
                path,
                f"is {shown(wanted, path)}, and may not be overridden: {reason}.",
                "Take it out.",
                owner,
            )


@rule
def names(draft: Draft) -> Iterator[Finding]:
    """Sections and options have names, and values are one line: none of them can write another option."""
    for owner, path, wanted in _overrides(draft):
        for key in path[1:]:
            form = _OPTION if key == path[-1] else _SECTION
            if not form.fullmatch(str(key)):
                yield draft.error(
                    "overrides.name",
                    path,
                    f"{str(key)!r} is no name of {'an option' if form is _OPTION else 'a section'}.",
                    "Write names without brackets, equals signs, colons, expressions and line breaks.",
                    owner,
                )
        if isinstance(wanted, str) and re.search(r"[\r\n]", wanted):
            yield draft.error(
                "overrides.value",
                path,
                f"is {shown(wanted, path)}, of several lines: the next one would be an option of its own.",
                "Write the value in one line.",
                owner,
            )


def _overrides(draft: Draft) -> Iterator[tuple[DraftHost | None, KeyPath, Any]]:
    """Every option that is overridden: the host whose own it is, or None, its place, and its value."""
    for host in draft.hosts.values():
        for name, value in {**draft.variables, **host.variables}.items():
            if name.endswith("_conf_overrides"):
                owner = host if name in host.variables else None
                for path, wanted in _leaves((name,), value):
                    yield owner, path, wanted


def _leaves(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves((*path, key), inner)
    else:
        yield path, value
