# SPDX-License-Identifier: Apache-2.0
"""Action ``attached_volume``: between the volume service and the host. See plugins/modules/attached_volume.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.attach import stories as attached
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import scrubbed
from ansible_collections.holdfast.storage.plugins.plugin_utils.verify_action import VerifyAction


class ActionModule(VerifyAction):
    """Asks for the way to a volume, has the host go it, and takes the way back; its secret is in no result."""

    _requires_connection = True
    _VALID_ARGS = frozenset({"volume", "multipath", "ways", "mount_options", "address", "seed", "size", "wrong_secret"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        if not options.get("volume"):
            raise HoldfastError("attached_volume: volume is missing.")
        here = {name: value for name, value in options.items() if name != "volume"}
        connector = self._on_host(here).get("connector")
        if not connector:
            raise HoldfastError("The host did not tell how it attaches volumes.")
        cloud = self.client()
        attachment, connection = attached.attach(cloud, options["volume"], connector)
        try:
            known = attached.secrets_of(connection)
            done = self._on_host({**here, "connection": attached.without_secrets(connection), "credentials": known})
        finally:
            attached.detach(cloud, attachment)
        result: dict[str, Any] = scrubbed(done, known)
        return result

    def _on_host(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name = "holdfast.storage.attached_volume"
        done: dict[str, Any] = self._execute_module(name, module_args=arguments, task_vars=self.variables)
        if done.get("failed"):
            raise HoldfastError(str(done.get("msg") or "The module gave no reason."))
        return {key: value for key, value in done.items() if not key.startswith("_ansible") and key != "invocation"}
