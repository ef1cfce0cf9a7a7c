# SPDX-License-Identifier: Apache-2.0
"""What a deployment would put on its hosts, as text, without a host: to read, to review, and to compare two versions.

What depends on what a host has already is shown for a bare one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from ..description.services import Services
from ..errors import HoldfastError
from ..host_io import IO, Result
from ..kind import Joined, Rendered
from ..model import Model
from . import planning
from .registry import Order, Step


class Nowhere:
    """A host on which nothing is: every command is missing, and every file."""

    def __getattr__(self, name: str) -> Any:
        return _ANSWERS[name]


def _no_command(*argv: Any, check: bool = True, **options: Any) -> Result:
    if check:
        raise HoldfastError("There is no such command.")
    return Result(127, "", "command not found")


def _nothing(*arguments: Any, **options: Any) -> None:
    return None


_ANSWERS = {
    "run": _no_command,
    "listdir": lambda path: [],
    "exists": lambda path: False,
    "has_address": lambda address: False,
    "realpath": lambda path: path,
    "read_at": lambda path, offset, length: b"",
    **dict.fromkeys(
        ("read", "read_text", "stat", "block_number", "digest", "admin_socket", "monitor", "remove"), _nothing
    ),
}


def render(order: Order, model: Model, services: Services, secrets: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Names and texts: for each host ``HOST/files/...``, and by step what is wanted, asked, and planned when bare.

    ``secrets`` should be placeholders: they are in the files.
    """
    for name, host in sorted(model.hosts.items()):
        for step, wanted in planning.wanted(model, host, services, secrets, order.steps):
            files = step.module.rendered(wanted) if isinstance(step.module, Rendered) else {}
            yield from ((f"{name}/files{path}", text) for path, text in files.items())
            yield f"{name}/wanted/{step.name}.json", _json(_without_content(wanted) if files else wanted)
            asked = step.module.question(wanted)
            yield f"{name}/questions/{step.name}.json", _json(asked)
            if step.phase != "preflight":  # which plans nothing, and would tell of this machine
                yield f"{name}/plan/{step.name}.txt", _planned(name, step, asked, wanted)


def _planned(name: str, step: Step, asked: dict[str, Any], wanted: dict[str, Any]) -> str:
    """The plan for a bare host, as the terminal shows it, and what would be refused."""
    try:
        current = step.module.read(cast(IO, Nowhere()), asked)
        if isinstance(step.module, Joined):
            current = step.module.join(name, {name: {step.name: current}})
        plan = step.module.plan(current, wanted)
    except Exception as error:  # a bare host may be what the kind can tell nothing of
        return f"Not without the host: {type(error).__name__}: {error}\n"
    return "".join(f"{line}\n" for line in [*plan.summary(), *map(str, plan.findings)])


def _without_content(wanted: Any) -> Any:
    """The value without the texts that stand in files of their own."""
    if isinstance(wanted, Mapping):
        return {name: _without_content(value) for name, value in wanted.items() if name != "content"}
    return [_without_content(item) for item in wanted] if isinstance(wanted, list) else wanted


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, default=sorted) + "\n"
