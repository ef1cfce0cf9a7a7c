# SPDX-License-Identifier: Apache-2.0
"""Action ``ceph_mon``: the module with the answers of all hosts. Documented in plugins/modules/ceph_mon.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.kinds import ceph_mon
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction


class ActionModule(DeploymentAction):
    """Tells the module whether there is a cluster already, as what the probe found on all hosts says."""

    _VALID_ARGS = frozenset(("fsid", "name", "address", "monitors", "port", "keys", "bootstrap"))

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        """Run the module."""
        arguments = dict(options)
        if arguments.get("bootstrap") is None:
            run = self.run_directory()
            answers = run.answers(run.model().hosts)
            arguments["bootstrap"] = ceph_mon.bootstraps(ceph_mon.join(self.host, answers), options)
        done: dict[str, Any] = self._execute_module(
            "holdfast.storage.ceph_mon", module_args=arguments, task_vars=self.variables
        )
        done.pop("invocation", None)
        return done
