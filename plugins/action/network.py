# SPDX-License-Identifier: Apache-2.0
"""Action ``network``: the module in its stages. Documented in plugins/modules/network.py."""

from __future__ import annotations

from ansible_collections.holdfast.storage.plugins.plugin_utils.guarded_action import GuardedAction


class ActionModule(GuardedAction):
    """The change begins half a second after the module has returned, so the pause is longer than that."""

    MODULE = "holdfast.storage.network"
    PAUSE = 1.5
    ADVICE = (
        "Likely reasons: networks_ports names another interface or VLAN than the one that reaches the controller, the "
        "switch port does not carry it, or the address or gateway of mgmt is wrong. "
        "Fix: correct networks_ports, networks_addresses or networks_bridges, then run again."
    )
