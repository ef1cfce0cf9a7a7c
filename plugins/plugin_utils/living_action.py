# SPDX-License-Identifier: Apache-2.0
"""An action of which nothing more happens when its run was killed."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import refuse_orphan


class LivingAction(ActionBase):
    """Asks a host nothing, and goes on with no answer, when ansible-playbook is gone: the next run may be at work."""

    def _low_level_execute_command(self, *args: Any, **options: Any) -> dict[str, Any]:
        """What every module and command of an action comes through. Raises HoldfastError in an orphan."""
        refuse_orphan()
        done: dict[str, Any] = super()._low_level_execute_command(*args, **options)
        refuse_orphan()
        return done
