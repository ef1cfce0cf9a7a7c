# SPDX-License-Identifier: Apache-2.0
"""Action ``withdraw``: take a deployment off a host. Documented in plugins/modules/withdraw.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import disk
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.nfs import shares as nfs
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import planning
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import ORDER
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction


class ActionModule(DeploymentAction):
    """The units of every phase stopped, then their files removed. Directories stay, as they may hold data."""

    _VALID_ARGS = frozenset({"deployment"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        deployment = self.deployment()
        if options.get("deployment") != deployment.model.deployment:
            raise HoldfastError(
                f"destroy is {options.get('deployment')!r}, and this inventory's holdfast_deployment is "
                f"{deployment.model.deployment!r}: nothing was changed. Name the deployment that you mean to destroy."
            )
        host = planning.host_named(deployment.model, self.host)
        steps = [step for step in reversed(ORDER.steps) if step.kind in ("unit", "file")]
        wanted = list(planning.wanted(deployment.model, host, deployment.services, deployment.secrets, steps))
        # Each list is stopped as a whole, what stands on others before them.
        stops = []
        for step, value in wanted:
            if step.kind == "unit":
                stops.append([{**unit, "state": "stopped", "enabled": False} for unit in value["units"]])
            if step.name == "services/unit":
                stops.append([_stopped_mount(place) for place in nfs.cinder_mounts(deployment.model, host)])
        files = [
            {"path": entry["path"], "state": "absent"}
            for step, value in wanted
            if step.kind == "file"
            for entry in value["files"]
            if entry.get("state", "file") != "directory" and entry["path"] != "/etc/hosts"
        ]
        result: dict[str, Any] = {"changed": False, "actions": [], "diff": []}
        parts = [*(("unit", {"units": units}) for units in stops if units), ("file", {"files": files})]
        for module, arguments in parts:
            done = self._execute_module(f"holdfast.storage.{module}", module_args=arguments, task_vars=self.variables)
            result["changed"] |= bool(done.get("changed"))
            result["actions"] += done.get("actions", ())
            result["diff"] += done.get("diff", ())
            if done.get("failed"):
                return {**result, "failed": True, "msg": f"{module}: {done.get('msg') or done.get('module_stderr')}"}
        return result


def _stopped_mount(place: str) -> dict[str, Any]:
    """The unit of a mount, which no description has."""
    return {"name": disk.unit_name(place), "state": "stopped", "enabled": False, "inputs": [], "packages": []}
