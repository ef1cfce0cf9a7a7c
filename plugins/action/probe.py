# SPDX-License-Identifier: Apache-2.0
"""Action ``probe``: read everything that concerns a host by one SSH command. Documented in plugins/modules/probe.py."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.controller import deployment
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import lock, probe
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction


class ActionModule(DeploymentAction):
    """One question file in, one answer file out."""

    _VALID_ARGS = frozenset({"lock"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        run = self.run_directory()
        questions = run.read(f"questions/{self.host}.json")
        bundle = run.read(questions["bundle"])
        request = self._lock_request(options, run)
        began = time.time()
        answer = self._ask(bundle, questions, request)
        held = answer.get("lock")
        if held and deployment.is_stale(held):
            answer = self._ask(bundle, questions, {**(request or {}), "stale": held})
            held = answer.get("lock")
        if held:
            raise HoldfastError(
                f"Another run holds this deployment's lock: {lock.describe(held)}. Nothing was changed. "
                f"Fix: let it end. If its controller is gone for good, remove {lock.PATH} on {self.host}."
            )
        if "time" in (platform := answer.get("preflight/platform", {})):
            # The host looked at its clock at some time in between: on a busy controller that can be long.
            platform["skew_seconds"] = min(platform["time"] - began, 0) or max(platform["time"] - time.time(), 0)
        run.write(f"probe/{self.host}.json", answer)
        return {"changed": False}

    def _lock_request(self, options: dict[str, Any], run: deployment.RunDirectory) -> dict[str, Any] | None:
        """A request for the lock, on the host that keeps it, in runs that change things."""
        local = run.read("lock.json")
        if not options.get("lock") or self.check_mode or local["host"] != self.host:
            return None
        return {"holder": local["holder"]}

    def _ask(self, bundle: str, questions: dict[str, Any], request: dict[str, Any] | None) -> dict[str, Any]:
        interpreter = self.variables.get("ansible_python_interpreter", "/usr/bin/python3")
        script = probe.script(bundle, questions["kinds"], questions["asked"], request)
        done = self._low_level_execute_command(
            f"{interpreter} -I -S -", sudoable=True, in_data=script.encode(), executable="/bin/sh"
        )
        try:
            return probe.answer(done["stdout"])
        except ValueError:
            reason = (done.get("stderr") or done.get("stdout") or "no output").strip()[-1500:]
            raise HoldfastError(
                f"{self.host}: the probe gave no answer (exit status {done['rc']}): {reason} "
                "Fix: the host needs python3, and root or sudo without a password, and nothing may be printed at login."
            ) from None
