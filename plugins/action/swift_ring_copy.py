# SPDX-License-Identifier: Apache-2.0
"""Action ``swift_ring_copy``: the files that other hosts made. Documented in plugins/modules/swift_ring_copy.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.swift import rings
from ansible_collections.holdfast.storage.plugins.module_utils.core.swift.kinds import swift_ring
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction


class ActionModule(DeploymentAction):
    """Gives the module the files of the rings that this host needs, which ``swift_ring`` left in the run directory."""

    _VALID_ARGS = frozenset(
        ("copies", "directory", "rings", "remove", "move_limit_percent", "devices", "host", "hosts")
    )

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        """Run the module."""
        arguments = {"copies": options["copies"] if "copies" in options else self._copies(options)}
        if options.get("directory"):
            arguments["directory"] = options["directory"]
        name = "holdfast.storage.swift_ring_copy"
        done: dict[str, Any] = self._execute_module(name, module_args=arguments, task_vars=self.variables)
        done.pop("invocation", None)
        return done

    def _copies(self, options: dict[str, Any]) -> list[dict[str, str]]:
        run, host = self.run_directory(), options.get("host") or self.host
        states = swift_ring.join(host, run.answers(options["hosts"]))["states"]
        decisions = rings.decide(options, options["hosts"], states)
        return [run.read(f"rings/{decision.ring}.json") for decision in decisions if host in decision.stale]
