# SPDX-License-Identifier: Apache-2.0
"""Action ``converge``: apply one phase on a host. Documented in plugins/modules/converge.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.change import Change, Plan
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import planning
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import ORDER
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction, scrubbed


class ActionModule(DeploymentAction):
    """Runs the module of each kind that has something to do in the phase, in order, and stops at a failure."""

    _VALID_ARGS = frozenset({"phase"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        phase = options.get("phase")
        if phase not in ORDER.phases:
            raise HoldfastError(f"converge: phase is {phase!r}; it must be one of {', '.join(ORDER.phases)}.")
        deployment = self.deployment()
        host = planning.host_named(deployment.model, self.host)
        planned = self.run_directory().read("plan.json")["hosts"][self.host]
        unsettled = bool(ORDER.unsettling & {step.partition("/")[0] for step in planned["steps"]})
        steps = [
            step
            for step in ORDER.of_phase(phase)
            if step.name in planned["steps"] or (unsettled and step.kind in ORDER.unsettled)
        ]
        result: dict[str, Any] = {"changed": False, "actions": [], "diff": []}
        for step, wanted in planning.wanted(
            deployment.model, host, deployment.services, deployment.secrets, iter(steps)
        ):
            if self.check_mode and step.kind in ORDER.told_by_plan:
                plan = Plan([Change(**change) for change in planned["steps"][step.name]])
                done = {"changed": True, "actions": plan.summary(), "diff": plan.diff()}
            else:
                done = scrubbed(self._run_module(step.kind, wanted), dict(deployment.secrets))
            result["changed"] |= bool(done.get("changed"))
            result["actions"] += done.get("actions", ())
            result["diff"] += done.get("diff", ())
            if done.get("failed"):
                reason = done.get("msg") or done.get("module_stderr") or "no reason given"
                return {**result, "failed": True, "msg": f"{step.name}: {reason}", "findings": done.get("findings", [])}
        return result

    def _run_module(self, kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The kind's module, or the action of the same name where there is one, as a task would run it."""
        name = f"holdfast.storage.{kind}"
        loader = self._shared_loader_obj.action_loader
        if not loader.find_plugin(name, collection_list=[]):
            done: dict[str, Any] = self._execute_module(name, module_args=arguments, task_vars=self.variables)
            return done
        task = self._task.copy()
        task.args = arguments
        action = loader.get(
            name,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        result: dict[str, Any] = action.run(task_vars=self.variables)
        return result
