# SPDX-License-Identifier: Apache-2.0
"""The body of every module of a kind: read, plan, diff, apply unless check mode, read again and verify."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from ansible.module_utils.basic import AnsibleModule

from ..core.change import Plan
from ..core.errors import HoldfastError, refused_by_system
from ..core.host_io import IO
from ..core.kind import Applied, Told
from .local import Host

ActedOn = TypeVar("ActedOn", bound=IO)


class _Module(AnsibleModule):
    """Ansible's module, which keeps what is wanted out of the host's journal: a file's content may be a secret."""

    def _log_invocation(self) -> None:
        pass


def run(kind: Applied[IO], options: dict[str, Any], **module_arguments: Any) -> None:
    """Converge one kind on this host. ``options`` is the module's argument_spec; its values are what is wanted."""
    run_on(Host(), kind, options, **module_arguments)


def run_on(io: ActedOn, kind: Applied[ActedOn], options: dict[str, Any], **module_arguments: Any) -> None:
    """The same on a host that has to be more than others.

    What is wanted is not returned, as Ansible does with -vvv.
    """
    module = _Module(argument_spec=options, supports_check_mode=True, **module_arguments)
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
    more = kind.result(current, wanted) if isinstance(kind, Told) else {}
    module.exit_json(changed=bool(plan), actions=plan.summary(), diff=plan.diff(), invocation={}, **more)


def _applied(kind: Applied[ActedOn], io: ActedOn, plan: Plan, remaining: Callable[[], Plan]) -> Plan:
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
