# SPDX-License-Identifier: Apache-2.0
"""Action ``client_files``: clouds.yaml, openrc and ca.pem. Documented in plugins/modules/client_files.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone import access
from ansible_collections.holdfast.storage.plugins.plugin_utils import client_files
from ansible_collections.holdfast.storage.plugins.plugin_utils.verify_action import VerifyAction

AUTHORITY = "/etc/holdfast/tls/ca.pem"


class ActionModule(VerifyAction):
    """Writes what differs, on the controller. The host gives the authorities' certificates that it trusts itself."""

    _requires_connection = True

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        done = self._low_level_execute_command(f"cat {AUTHORITY}", sudoable=True)
        if done["rc"] != 0:
            if self.check_mode:
                return {"changed": True, "actions": [f"write {self.artifacts / client_files.CLOUDS}"]}
            raise HoldfastError(f"{self.host} has no {AUTHORITY}. Fix: run playbooks/site.yml first.")
        deployment = self.deployment()
        cloud = access.cloud(deployment.model, deployment.secrets, str(self.artifacts / client_files.CA))
        ca = done["stdout"].replace("\r\n", "\n").strip() + "\n"
        files = client_files.contents(deployment.model.deployment, cloud, access.environment(cloud), ca)
        changed = [
            name
            for name, (content, mode) in files.items()
            if client_files.write(self.artifacts / name, content, mode, check=self.check_mode)
        ]
        return {"changed": bool(changed), "actions": [f"write {self.artifacts / name}" for name in changed]}
