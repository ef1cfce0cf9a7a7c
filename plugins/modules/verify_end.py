# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action verify_end; the work is in plugins/action/verify_end.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_end
short_description: End a verification
version_added: "1.0.0"
description:
  - >-
    Judges stories and bytes, writes C(verify.json) and C(report.html) into C(holdfast_artifacts_dir), else into the
    run directory, and removes the objects and images of the stories.
  - Fails afterwards when a story does not hold.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.verifies
options:
  exclusive:
    description: Whether nobody else uses the deployment meanwhile, so that more bytes than expected are an error.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Judge
  holdfast.storage.verify_end:
    exclusive: true
  run_once: true
"""

RETURN = r"""
{}
"""
