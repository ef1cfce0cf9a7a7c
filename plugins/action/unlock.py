# SPDX-License-Identifier: Apache-2.0
"""Action ``unlock``: give the deployment's lock back. Documented in plugins/modules/unlock.py."""

from __future__ import annotations

import shlex
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core import lock
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction


class ActionModule(DeploymentAction):
    """Removes the lock file when it is this run's own."""

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        run = self.run_directory()
        holder = run.read("lock.json")["holder"]
        path = shlex.quote(lock.PATH)
        mine = shlex.quote(f'"pid": {holder["pid"]}, "started": "{holder["started"]}"')
        self._low_level_execute_command(f"grep -qF {mine} {path} && rm -f {path}", sudoable=True)
        run.write("lock.json", {"host": self.host, "holder": None})
        return {"changed": False}
