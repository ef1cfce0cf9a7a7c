# SPDX-License-Identifier: Apache-2.0
"""Action ``verify_story``: tell one story. Documented in plugins/modules/verify_story.py."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding, HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import CHAPTERS
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import chapter
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Scene
from ansible_collections.holdfast.storage.plugins.plugin_utils.verify_action import VerifyAction


class ActionModule(VerifyAction):
    """A story that fails is a finding and no failed task: the others are told too, and the end fails."""

    _VALID_ARGS = frozenset({"story", "facts"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        said = self.notes.read("scene.json")
        subject = chapter.teller(CHAPTERS, said["facts"], str(options.get("story")))
        story = chapter.catalogue(CHAPTERS, said["facts"])[options["story"]]
        facts = {**said["facts"][subject], **(options.get("facts") or {})}
        began = time.monotonic()
        problem, evidence = "", {}
        try:
            evidence = story.tell(self.client(), Scene(run=said["run"], facts=facts, now=time.time()))
        except HoldfastError as error:
            problem = error.message
        except (LookupError, TypeError, ValueError) as error:
            problem = f"An answer has an unexpected form: {error!r}"
        seconds = round(time.monotonic() - began, 3)
        result = {"id": story.id, "problem": problem, "evidence": evidence, "seconds": seconds}
        self.notes.write(f"stories/{story.id}.json", result)
        findings = (
            [Finding("error", f"verify.{story.id}", story.title, problem, "See docs/verify.md.").as_dict()]
            if problem
            else []
        )
        return {"changed": False, "findings": findings, "evidence": evidence, "seconds": seconds}
