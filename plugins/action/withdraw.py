# SPDX-License-Identifier: Apache-2.0
"""Action ``withdraw``: take a deployment off a host. Documented in plugins/modules/withdraw.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.destroy import withdrawal
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import planning
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import LEFT, MOUNTS, ORDER
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction


class ActionModule(DeploymentAction):
    """Runs the modules that stop and remove, in order, and stops at a failure."""

    _VALID_ARGS = frozenset({"deployment"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        deployment = self.deployment()
        model = deployment.model
        withdrawal.confirm(model, options.get("deployment"))
        host = planning.host_named(model, self.host)
        result: dict[str, Any] = {"changed": False, "actions": [], "diff": []}
        known = (ORDER, MOUNTS, LEFT)
        for module, arguments in withdrawal.parts(*known, model, host, deployment.services, deployment.secrets):
            done = self._execute_module(f"holdfast.storage.{module}", module_args=arguments, task_vars=self.variables)
            result["changed"] |= bool(done.get("changed"))
            result["actions"] += done.get("actions", ())
            result["diff"] += done.get("diff", ())
            if done.get("failed"):
                return {**result, "failed": True, "msg": f"{module}: {done.get('msg') or done.get('module_stderr')}"}
        return result
