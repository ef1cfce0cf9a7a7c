# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action report; the work is in plugins/action/report.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write the report anew
version_added: "1.0.0"
description:
  - >-
    Writes C(report.html) into C(holdfast_artifacts_dir), else into the run directory, from the last verification,
    probe, plan and logs. No host is asked.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.writes
"""

EXAMPLES = r"""
- name: Write the report
  holdfast.storage.report:
  run_once: true
"""

RETURN = r"""
{}
"""
