# SPDX-License-Identifier: Apache-2.0
"""Action ``report``: write report.html anew. Documented in plugins/modules/report.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.plugin_utils import report_page
from ansible_collections.holdfast.storage.plugins.plugin_utils.verify_action import VerifyAction


class ActionModule(VerifyAction):
    """Asks no host: everything is in the run directory and the artifacts."""

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        page = self.artifacts / report_page.PAGE
        if not self.check_mode:
            report_page.write_page(self.run_directory(), self.artifacts)
        return {"changed": False, "msg": f"The report:\n{page}"}
