# SPDX-License-Identifier: Apache-2.0
"""Action ``verify_begin``: a new verification, after the leftovers of others. See plugins/modules/verify_begin.py."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import CHAPTERS
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import chapter
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Scene
from ansible_collections.holdfast.storage.plugins.plugin_utils.verify_action import VerifyAction


class ActionModule(VerifyAction):
    """Sets the scene: what stories and the tasks between them need to know."""

    _VALID_ARGS = frozenset({"disruptive"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        if self.check_mode:
            raise HoldfastError(
                "verify.yml writes objects and images, so it has no check mode. Run it without --check."
            )
        deployment = self.deployment()
        absent = sorted(set(deployment.model.hosts) - set(self.variables["ansible_play_hosts"]))
        if absent:
            raise HoldfastError(
                f"The bytes on the networks prove nothing without {', '.join(absent)}: run verify.yml without --limit, "
                "when every host can be reached."
            )
        chapters, cloud = chapter.told(CHAPTERS, deployment.model), self.client()
        chapter.sweep(chapters, cloud)
        scene = Scene(run=time.strftime("%Y%m%d%H%M%S", time.gmtime()))
        facts = chapter.facts(chapters, deployment.services, cloud)
        parts = chapter.parts(chapters, facts, disruptive=bool(options.get("disruptive")))
        said = {"run": scene.run, "name": scene.name, "facts": facts, "parts": parts}
        self.notes.clear("counters", "stories")
        self.notes.write("scene.json", said)
        return {"changed": False, **said}
