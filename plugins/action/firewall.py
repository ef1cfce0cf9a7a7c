# SPDX-License-Identifier: Apache-2.0
"""Action ``firewall``: the module in its stages. Documented in plugins/modules/firewall.py."""

from __future__ import annotations

from ansible_collections.holdfast.storage.plugins.plugin_utils.guarded_action import GuardedAction


class ActionModule(GuardedAction):
    """The rules are loaded when the module returns, so a new connection is tried at once."""

    MODULE = "holdfast.storage.firewall"
    ADVICE = "Likely reason: firewall_admin_sources leaves the controller out. Fix: add its address, then run again."
