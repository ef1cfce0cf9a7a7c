# SPDX-License-Identifier: Apache-2.0
"""Action ``hardening``: the module in its stages. Documented in plugins/modules/hardening.py."""

from __future__ import annotations

from ansible_collections.holdfast.storage.plugins.plugin_utils.guarded_action import GuardedAction


class ActionModule(GuardedAction):
    """The server has its options when the module returns, so a new connection is tried at once."""

    MODULE = "holdfast.storage.hardening"
    ADVICE = (
        "Likely reason: Ansible comes in by a password. Fix: give the controller a key, or set "
        "hardening_ssh_passwords: true, then run again."
    )
