# SPDX-License-Identifier: Apache-2.0
"""Action ``verify_counters``: read a host's byte counters. Documented in plugins/modules/verify_counters.py."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core import flows
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks import wires
from ansible_collections.holdfast.storage.plugins.plugin_utils.verify_action import VerifyAction

# The kernel's statistics before and after the firewall's counters: between two readings, what the firewall counted lies
# within what the kernel saw from the earlier's "before" to the later's "after". A bridge that a switch in userspace
# makes has its port for a witness: what is in tunnels leaves by it, and never was on the bridge.
COMMAND = (
    "read_all() {{ cd /sys/class/net && for link in $*; do "
    "echo $link $(cat $link/statistics/rx_bytes) $(cat $link/statistics/tx_bytes); done; }}; "
    "read_all {links}; nft -j list counters table inet holdfast && read_all {links}; read_all {switched}"
)


class ActionModule(VerifyAction):
    """One command without a module: it costs the host 10 ms, and the networks almost nothing."""

    _requires_connection = True
    _VALID_ARGS = frozenset({"after"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        model = self.run_directory().model()
        host = model.hosts[self.host]
        witnesses = {model.networks[name].bridge: wires.witness(host, model.networks[name]) for name in host.addresses}
        switched = [bridge for bridge, link in witnesses.items() if link != bridge]
        command = COMMAND.format(links=" ".join(witnesses.values()), switched=" ".join(switched))
        done = self._low_level_execute_command(command, sudoable=True)
        lines = done["stdout"].strip().splitlines()
        count = len(witnesses)
        try:
            counted = flows.parse_counters(json.loads(lines[count]))
            after = lines[count + 1 :]
            seen = {"before": _kernel(witnesses, lines[:count]), "after": _kernel(witnesses, after[:count])}
            counted |= flows.tunnelled(model, host, seen["after"], _kernel(switched, after[count:]))
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


def _kernel(bridges: Iterable[str], lines: list[str]) -> dict[str, int]:
    """Bytes by bridge, received and sent, each from the line of its witness."""
    counts = (int(received) + int(sent) for _, received, sent in map(str.split, lines))
    return dict(zip(bridges, counts, strict=True))
