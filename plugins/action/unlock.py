# SPDX-License-Identifier: Apache-2.0
"""Action ``unlock``: give the deployment's lock back. Documented in plugins/modules/unlock.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import lock
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction


class ActionModule(DeploymentAction):
    """Removes the lock file when it is this run's own."""

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        run = self.run_directory()
        self._low_level_execute_command(lock.release(run.read("lock.json")["holder"]), sudoable=True)
        run.write("lock.json", {"host": self.host, "holder": None})
        return {"changed": False}
