# SPDX-License-Identifier: Apache-2.0
"""The lock of a deployment: one run at a time, kept on one of its hosts and gone when that host reboots.

The host only keeps it. Whether its holder still lives is for the controller to say, as it knows its own processes.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from ..host_io import IO

PATH = "/run/holdfast/lock.json"
# Taking it takes no time at all; who waits longer than this waits for something that hangs.
TAKING_SECONDS = 10


def take(io: IO, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Take the lock for ``request["holder"]``. None when it is ours now, else who holds it.

    ``request["stale"]`` is the holder that the controller found dead: the lock is taken from that one only.
    """
    with io.alone(TAKING_SECONDS, f"{PATH}.taking"):
        while not io.create(PATH, json.dumps(request["holder"])):
            holder = current(io)
            if holder == request["holder"]:
                return None
            if holder and holder != request.get("stale"):
                return holder
            # Its holder is dead, or gave it back just now, or was killed before it had written who it is.
            io.remove(PATH)
    return None


def release(holder: Mapping[str, Any]) -> str:
    """The command for a shell that gives it back, if it is still the holder's: a module would cost the host more."""
    path, mine = shlex.quote(PATH), shlex.quote(json.dumps(holder))
    return f'[ "$(cat {path} 2>/dev/null)" = {mine} ] && rm -f {path}'


def current(io: IO) -> dict[str, Any] | None:
    """Who holds it, or None; nobody when the file does not say."""
    try:
        holder: dict[str, Any] | None = json.loads(io.read_text(PATH) or "null")
    except ValueError:
        return None
    return holder


def describe(holder: Mapping[str, Any]) -> str:
    """The holder in words."""
    return (
        f"{holder['user']} on {holder['controller']} (process {holder['pid']}, {holder['command']}, "
        f"since {holder['since']})"
    )
