# SPDX-License-Identifier: Apache-2.0
"""The body of the modules whose change the host undoes unless it is confirmed: see ``guard``.

The module is run three times, by the action of its name, each over a connection of its own: ``apply`` starts the change
and returns; ``settle`` waits until the host is as wanted; ``confirm`` keeps the change. A slow host may still answer
``settle`` by the network that it is about to leave, so it is ``confirm`` whose connection proves that the host is
reached. Each is told the change's identity: the time in nanoseconds when its run came to it, so that a module that a
killed run left at work knows a later run's change from an earlier one. Run without the action it is safe: what nobody
confirms is undone.
"""

from __future__ import annotations

import contextlib
import functools
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..core.change import Plan
from ..core.errors import HoldfastError, refused_by_system
from ..core.host_io import IO
from ..core.kind import Guarded
from . import guard
from .local import Host

UNDONE = "The host undid the change, as nobody could reach it in time to confirm it: it would have been cut off."

SUPERSEDED = (
    "A later run has begun a change of its own on this host, and it waits to be confirmed: this one changed "
    "nothing. Fix: let that run end. If it is gone, the host undoes its change in time; then run again."
)


def run(kind: Guarded, options: dict[str, Any]) -> None:
    """Converge one guarded kind on this host. ``options``: what is wanted, with ``rollback_seconds`` among it."""
    stage = {"type": "str", "choices": ["apply", *_LATER], "default": "apply"}
    module = AnsibleModule(
        argument_spec={**options, "stage": stage, "change": {"type": "str", "default": ""}}, supports_check_mode=True
    )
    wanted = {name: module.params[name] for name in options}
    io: IO = Host()
    try:
        if later := _LATER.get(module.params["stage"]):
            later(io, kind, wanted, module.params["change"])
            module.exit_json(changed=False)
        with contextlib.nullcontext() if module.check_mode else io.alone():
            plan = _apply(io, kind, wanted, module.params["change"], module.check_mode)
            started = bool(plan) and not module.check_mode
            if started and guard.waiting(io, kind.NAME) != module.params["change"]:
                raise HoldfastError(UNDONE)
    except HoldfastError as error:
        module.fail_json(**error.as_result())
    except OSError as error:
        module.fail_json(**refused_by_system(error).as_result())
    module.exit_json(changed=bool(plan), actions=plan.summary(), diff=plan.diff(), unconfirmed=started)


def _apply(io: IO, kind: Guarded, wanted: dict[str, Any], change: str, check_mode: bool) -> Plan:
    asked = kind.question(wanted)
    current = kind.read(io, asked)
    if current["pending"] and not check_mode:
        if change and int(guard.waiting(io, kind.NAME) or 0) > int(change):
            raise HoldfastError(SUPERSEDED)
        guard.undo(io, kind.NAME)
        current = kind.read(io, asked)
    plan = kind.plan(current, wanted)
    if plan.errors:
        raise HoldfastError("Refused, nothing was changed. " + " ".join(map(str, plan.errors)), plan.errors)
    if plan and not check_mode:
        arm = functools.partial(guard.arm, io, kind.NAME, seconds=wanted["rollback_seconds"], change=change)
        kind.apply(io, plan, arm)
    return plan


def _settle(io: IO, kind: Guarded, wanted: dict[str, Any], change: str) -> None:
    """Wait until the host is as wanted; undo the change at once when half of the time is not enough."""
    deadline = time.monotonic() + wanted["rollback_seconds"] / 2
    asked = kind.question(wanted)
    while guard.waiting(io, kind.NAME) == change:
        left = kind.plan({**kind.read(io, asked), "pending": False}, wanted)
        if not left:
            return
        if time.monotonic() > deadline:
            with io.alone(wanted["rollback_seconds"]):
                if guard.waiting(io, kind.NAME) != change:
                    break
                guard.undo(io, kind.NAME)
            raise HoldfastError(
                "The host answers, but it is not as wanted, and the change was undone. It differs in "
                + "; ".join(f"{other.subject}: {_difference(other.before, other.after)}" for other in left)
            )
        time.sleep(0.1)
    raise HoldfastError(UNDONE)


def _confirm(io: IO, kind: Guarded, wanted: dict[str, Any], change: str) -> None:
    """Keep the change. It may have been kept already, by one whose answer was lost on the way."""
    with io.alone(wanted["rollback_seconds"]):
        kept = guard.confirm(io, kind.NAME, change)
    if not kept and kind.plan(kind.read(io, kind.question(wanted)), wanted):
        raise HoldfastError(UNDONE)


_LATER = {"settle": _settle, "confirm": _confirm}


def _difference(before: str, after: str) -> str:
    missing = [line for line in after.splitlines() if line not in before.splitlines()]
    return f"wanted {', '.join(missing)}" if missing else f"has {', '.join(before.splitlines())}"
