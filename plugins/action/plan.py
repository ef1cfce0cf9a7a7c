# SPDX-License-Identifier: Apache-2.0
"""Action ``plan``: what the deployment needs, computed at once. Documented in plugins/modules/plan.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding, HoldfastError, counted
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction, scrubbed


class ActionModule(DeploymentAction):
    """Answers in, plan.json out; the result names the phase groups of each host."""

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        run = self.run_directory()
        deployment = self.deployment()
        answers = run.answers(self.variables["ansible_play_hosts"])
        plan = deployment.plan(answers)
        secrets = dict(deployment.secrets)
        run.write("plan.json", scrubbed(plan.as_dict(), secrets))
        findings = [Finding(**scrubbed(finding.as_dict(), secrets)) for finding in plan.findings]
        errors = [finding for finding in findings if finding.severity == "error"]
        if errors:
            lines = [f"{counted(len(errors), 'problem')} on the hosts; nothing was changed."]
            raise HoldfastError("\n".join([*lines, *map(str, errors)]), findings)
        locked = run.read("lock.json")["host"]
        return {
            "changed": False,
            "findings": [finding.as_dict() for finding in findings],
            "groups": {
                host: plan.groups(host) + (["lock_holder"] if host == locked and not self.check_mode else [])
                for host in plan.hosts
            },
            "summary": scrubbed(
                {
                    host: [f"{step}: {line}" for step, planned in plans.items() for line in planned.summary()]
                    for host, plans in plan.hosts.items()
                    if any(plans.values())
                },
                secrets,
            ),
        }
