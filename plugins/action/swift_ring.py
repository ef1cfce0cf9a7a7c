# SPDX-License-Identifier: Apache-2.0
"""Action ``swift_ring``: the module with the answers of its peers. Documented in plugins/modules/swift_ring.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.swift.kinds import swift_ring
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction


class ActionModule(DeploymentAction):
    """Tells the module of its peers, and keeps the files that it hands out for ``swift_ring_copy``."""

    _VALID_ARGS = frozenset(("rings", "remove", "move_limit_percent", "directory", "devices", "host", "hosts", "peers"))

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        """Run the module; the files go to the run directory."""
        run = self.run_directory()
        own = options.get("host") or self.host
        answers = run.answers(name for name in options.get("hosts") or () if name != own)
        peers = {**swift_ring.join(own, answers)["states"], **(options.get("peers") or {})}
        arguments = {**options, "host": own, "peers": peers}
        name = "holdfast.storage.swift_ring"
        done: dict[str, Any] = self._execute_module(name, module_args=arguments, task_vars=self.variables)
        for copy in done.pop("published", ()):
            run.write(f"rings/{copy['ring']}.json", copy)
        done.pop("invocation", None)
        return done
