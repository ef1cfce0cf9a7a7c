# SPDX-License-Identifier: Apache-2.0
"""Action ``verify_counters``: read a host's byte counters. Documented in plugins/modules/verify_counters.py."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core import flows
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.plugin_utils.verify_action import VerifyAction

# The kernel's statistics before and after the firewall's counters: between two readings, what the firewall counted lies
# within what the kernel saw from the earlier's "before" to the later's "after".
COMMAND = (
    "kernel() {{ cd /sys/class/net && for bridge in {bridges}; do "
    "echo $bridge $(cat $bridge/statistics/rx_bytes) $(cat $bridge/statistics/tx_bytes); done; }}; "
    "kernel; nft -j list counters table inet holdfast && kernel"
)


class ActionModule(VerifyAction):
    """One command without a module: it costs the host 10 ms, and the networks almost nothing."""

    _requires_connection = True
    _VALID_ARGS = frozenset({"after"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        model = self.run_directory().model()
        bridges = [model.networks[name].bridge for name in model.hosts[self.host].addresses]
        done = self._low_level_execute_command(COMMAND.format(bridges=" ".join(bridges)), sudoable=True)
        lines = done["stdout"].strip().splitlines()
        try:
            counted = flows.parse_counters(json.loads(lines[len(bridges)]))
            seen = {"before": _kernel(lines[: len(bridges)]), "after": _kernel(lines[len(bridges) + 1 :])}
        except (ValueError, IndexError):
            raise HoldfastError(
                f"{self.host}: no byte counters: {(done.get('stderr') or 'no output').strip()[-300:]} "
                "Fix: run playbooks/site.yml, which makes the firewall that counts."
            ) from None
        name = f"counters/{self.host}.json"
        readings = [] if options.get("after") is None else self.notes.read(name)
        readings.append({"after": options.get("after"), "at": time.time(), "flows": counted, "kernel": seen})
        self.notes.write(name, readings)
        return {"changed": False}


def _kernel(lines: list[str]) -> dict[str, int]:
    """Bytes by bridge, received and sent."""
    return {bridge: int(received) + int(sent) for bridge, received, sent in map(str.split, lines)}
