# SPDX-License-Identifier: Apache-2.0
"""Action ``fernet_rotation``: new token keys among the secrets. Documented in plugins/modules/fernet_rotation.py."""

from __future__ import annotations

import secrets as random
import time
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone import fernet
from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction

SECRET = "keystone_fernet_keys"  # noqa: S105 - its name


class ActionModule(DeploymentAction):
    """Rotates in the vault file, and nowhere else: hosts get the keys as they get every secret."""

    _VALID_ARGS = frozenset({"force"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        deployment = self.deployment()
        variables, keys, now = deployment.model.variables, deployment.secrets[SECRET], time.time()
        age = fernet.age_hours(keys, now)
        due = age >= variables["keystone_fernet_rotation_hours"] or boolean(options.get("force", False))
        if due and not self.check_mode:
            maximum = variables["keystone_fernet_max_active_keys"]
            rotated = fernet.rotate(keys, maximum=maximum, random=random.token_bytes, now=now)
            held = secret_store.read(self._loader, self.inventory_dir)
            secret_store.save(self._loader, self.inventory_dir, {**held, SECRET: rotated})
        return {"changed": due, "age_hours": round(age, 1), "keys": len(fernet.keys(keys))}
