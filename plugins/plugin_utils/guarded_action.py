# SPDX-License-Identifier: Apache-2.0
"""The action of a guarded module: start the change, see it made, come back over a new connection, and then keep it."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import refuse_orphan
from ansible_collections.holdfast.storage.plugins.plugin_utils.living_action import LivingAction

# An emulated host needs several for the exchange of keys.
CONNECT_SECONDS = 10
# How long after its own deadline the host may take to undo a change and to answer again.
UNDO_SECONDS = 60


class GuardedAction(LivingAction):
    """Runs ``MODULE`` in its stages. ``PAUSE`` is the time in seconds after the first, ``ADVICE`` ends a failure."""

    TRANSFERS_FILES = False
    _supports_async = False
    MODULE = ""
    PAUSE = 0.0
    ADVICE = ""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = {**self._task.args, "change": str(time.time_ns())}
        result.update(self._stage("apply", arguments, task_vars))
        if result.get("failed") or not result.pop("unconfirmed", False):
            return result
        seconds = int(arguments.get("rollback_seconds") or 45)
        confirmed = self._confirm(arguments, task_vars, seconds)
        if confirmed.get("failed"):
            result.update(failed=True, changed=False, msg=f"{confirmed['msg']} {self.ADVICE}".strip())
        return result

    def _stage(self, stage: str, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        done: dict[str, Any] = self._execute_module(
            module_name=self.MODULE, module_args={**arguments, "stage": stage}, task_vars=task_vars
        )
        done.pop("invocation", None)
        return done

    def _confirm(
        self, arguments: dict[str, Any], task_vars: dict[str, Any] | None, rollback_seconds: int
    ) -> dict[str, Any]:
        """Ask until the host answers: with its confirmation, or with what it undid.

        That it is as wanted has to be answered before the connection is made by which it is confirmed: on a slow host
        the first may still be one of before the change.
        """
        stages = ["settle", "confirm"]
        started = time.monotonic()
        time.sleep(self.PAUSE)
        self._give_up_early()
        reason = ""
        while time.monotonic() - started < rollback_seconds + UNDO_SECONDS:
            # The next run shares the connection.
            refuse_orphan()
            with contextlib.suppress(AnsibleError):
                self._connection.reset()
            try:
                answer = self._stage(stages[0], arguments, task_vars)
            except AnsibleConnectionFailure as error:
                reason = str(error)
                time.sleep(1)
                continue
            del stages[0]
            if answer.get("failed") or not stages:
                return answer
        return {
            "failed": True,
            "msg": f"The host has not answered since the change, although it was to undo it after {rollback_seconds} "
            f"seconds: {reason}",
        }

    def _give_up_early(self) -> None:
        """Have SSH notice within seconds that the host is gone; by default it waits for minutes."""
        if self._connection.transport == "ssh":
            given = self._connection.get_option("ssh_extra_args") or ""
            alive = "-o ServerAliveInterval=3 -o ServerAliveCountMax=3"
            self._connection.set_option("ssh_extra_args", f"{given} {alive}".strip())
            self._connection.set_option("timeout", CONNECT_SECONDS)
