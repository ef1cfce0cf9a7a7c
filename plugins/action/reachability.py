# SPDX-License-Identifier: Apache-2.0
"""Action ``reachability``: who reaches whom. Documented in plugins/modules/reachability.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks import reachability
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import planning
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction


class ActionModule(DeploymentAction):
    """The flow table gives the targets, the module reachability_info asks them, the findings say what is wrong."""

    _VALID_ARGS = frozenset({"flows"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        model = self.run_directory().model()
        host = planning.host_named(model, self.host)
        asked: dict[str, Any] = {"targets": reachability.targets(model, host)}
        if options.get("flows"):
            asked["ports"] = reachability.ports(model, host)
        answers = self._execute_module(
            "holdfast.storage.reachability_info", module_args=asked, task_vars=self.variables
        )
        if answers.get("failed"):
            raise HoldfastError(f"{self.host}: {answers.get('msg') or answers.get('module_stderr')}")
        found = list(reachability.findings(self.host, answers))
        errors = [finding for finding in found if finding.severity == "error"]
        if errors:
            raise HoldfastError("\n".join(map(str, errors)), found)
        return {"changed": False, "findings": [finding.as_dict() for finding in found], "asked": len(asked["targets"])}
