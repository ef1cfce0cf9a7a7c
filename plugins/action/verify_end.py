# SPDX-License-Identifier: Apache-2.0
"""Action ``verify_end``: judge, write verify.json and the report, clean up. See plugins/modules/verify_end.py."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding, HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import CHAPTERS
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import chapter, proof
from ansible_collections.holdfast.storage.plugins.plugin_utils import report_page
from ansible_collections.holdfast.storage.plugins.plugin_utils.client_files import write
from ansible_collections.holdfast.storage.plugins.plugin_utils.verify_action import VerifyAction


class ActionModule(VerifyAction):
    """Files first, failure afterwards."""

    _VALID_ARGS = frozenset({"exclusive"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        run, notes = self.run_directory(), self.notes
        model = run.model()
        readings = {name: notes.read(f"counters/{name}.json") for name in model.hosts}
        told = {path.stem: json.loads(path.read_text()) for path in (notes.path / "stories").glob("*.json")}
        catalogue = chapter.catalogue(CHAPTERS, notes.read("scene.json")["facts"])
        entries = proof.prove(readings, told, catalogue, model, alone=bool(options.get("exclusive")))
        notes.write("proof.json", proof.flow_bytes(readings))
        write(self.artifacts / report_page.STORIES, json.dumps(entries, indent=1) + "\n", 0o644)
        report_page.write_page(run, self.artifacts)
        chapter.sweep(chapter.told(CHAPTERS, model), self.client())
        findings = [
            Finding(
                "error",
                f"verify.{entry['id']}",
                entry["title"],
                f"{'; '.join(entry['evidence']['problems'])}.",
                f"{self.artifacts / report_page.PAGE} has the evidence; docs/verify.md says what the story needs.",
            )
            for entry in entries
            if not entry["ok"]
        ]
        if findings or not entries:
            raise HoldfastError(f"{len(findings)} of {len(entries)} stories do not hold.", findings)
        seconds = sum(entry["seconds"] for entry in entries)
        return {
            "changed": False,
            "msg": f"{len(entries)} stories hold, told in {seconds:.0f} s.\n{self.artifacts / report_page.PAGE}",
        }
