# SPDX-License-Identifier: Apache-2.0
"""The body of every module of a kind: read, plan, diff, apply unless check mode, read again and verify."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..core.change import Plan
from ..core.errors import HoldfastError, refused_by_system
from ..core.kind import Applied
from .local import Host


class _Module(AnsibleModule):
    """Ansible's module, which keeps what is wanted out of the host's journal: a file's content may be a secret."""

    def _log_invocation(self) -> None:
        pass


def run(kind: Applied, options: dict[str, Any], *, io: Host | None = None, **module_arguments: Any) -> None:
    """Converge one kind on this host. ``options`` is the module's argument_spec; its values are what is wanted.
    ``io`` is the host, where it has to have more than others.

    A kind may have ``result(current, wanted)``: what the module returns beyond the plan.

    What is wanted is not returned either, as Ansible does with -vvv.
    """
    module = _Module(argument_spec=options, supports_check_mode=True, **module_arguments)
    io = io or Host()
    alone = contextlib.nullcontext() if module.check_mode else io.alone()
    wanted = {name: module.params[name] for name in options}
    asked = {**kind.question(wanted), "detail": bool(module._diff)}
    try:
        with alone:
            current = kind.read(io, asked)
            plan = kind.plan(current, wanted)
            if plan.errors:
                raise HoldfastError("Refused, nothing was changed. " + " ".join(map(str, plan.errors)), plan.errors)
            if plan and not module.check_mode:
                plan = _applied(kind, io, plan, lambda: kind.plan(kind.read(io, asked), wanted))
    except HoldfastError as error:
        module.fail_json(**error.as_result(), invocation={})
    except OSError as error:
        module.fail_json(**refused_by_system(error).as_result(), invocation={})
    more = getattr(kind, "result", lambda current, wanted: {})(current, wanted)
    module.exit_json(changed=bool(plan), actions=plan.summary(), diff=plan.diff(), invocation={}, **more)


def _applied(kind: Applied, io: Host, plan: Plan, remaining: Callable[[], Plan]) -> Plan:
    """All that was changed until nothing remained. Raises HoldfastError when a change would have to be made again.

    A change may open the way to another that nobody could plan before: a disk that was emptied can leave.
    """
    done = list(plan)
    kind.apply(io, plan)
    while left := remaining():
        if left.errors or set(left.summary()) & set(Plan(done).summary()):
            raise HoldfastError(f"Applied, but the host still differs: {', '.join(left.summary())}.")
        kind.apply(io, left)
        done += left
    return Plan(done, plan.findings)
