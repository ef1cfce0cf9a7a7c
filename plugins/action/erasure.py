# SPDX-License-Identifier: Apache-2.0
"""Action ``erasure``: which of the named disks are the host's. Documented in plugins/modules/erasure.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import volume_group
from ansible_collections.holdfast.storage.plugins.module_utils.core.destroy.naming import named
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import DISKS
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction


class ActionModule(DeploymentAction):
    """Refuses, on every host, a name that is no declared disk of any; has the module erase those of this one."""

    _VALID_ARGS = frozenset({"disks"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        model = self.run_directory().model()
        devices = named(model, options.get("disks"), DISKS).get(self.host)
        if not devices:
            return {"changed": False, "actions": []}
        arguments = {"devices": devices, "tag": volume_group.tag(model.deployment, self.host)}
        result: dict[str, Any] = self._execute_module(
            "holdfast.storage.erasure", module_args=arguments, task_vars=self.variables
        )
        return result
