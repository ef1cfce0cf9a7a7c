# SPDX-License-Identifier: Apache-2.0
"""The lock of a deployment: one run at a time, kept on one of its hosts and gone when that host reboots.

The host only keeps it. Whether its holder still lives is for the controller to say, as it knows its own processes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..io.host import Host as IO

PATH = "/run/holdfast/lock.json"


def take(io: IO, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Take the lock for ``request["holder"]``. None when it is ours now, else who holds it.

    ``request["stale"]`` is the holder that the controller found dead: the lock is taken from that one only.
    """
    if (stale := request.get("stale")) and current(io) == stale:
        io.remove(PATH)
    if io.create(PATH, json.dumps(request["holder"])):
        return None
    holder = current(io) or {}
    return None if holder == request["holder"] else holder


def release(io: IO, holder: Mapping[str, Any]) -> None:
    """Give it back, if it is still ours."""
    if current(io) == holder:
        io.remove(PATH)


def current(io: IO) -> dict[str, Any] | None:
    """Who holds it, or None."""
    text = io.read_text(PATH)
    holder: dict[str, Any] | None = json.loads(text) if text else None
    return holder


def describe(holder: Mapping[str, Any]) -> str:
    """The holder in words."""
    return (
        f"{holder['user']} on {holder['controller']} (process {holder['pid']}, {holder['command']}, "
        f"since {holder['since']})"
    )
