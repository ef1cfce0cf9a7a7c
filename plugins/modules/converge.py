# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action converge; the work is in plugins/action/converge.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: converge
short_description: Apply one phase of the plan on a host
version_added: "1.0.0"
description:
  - Runs, in order, the module of each kind that has something to do on the host in this phase.
  - In check mode the modules run in check mode, so the diff is what would be done.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.run
options:
  phase:
    description: The phase, as in C(core/subjects.py).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Converge the services
  holdfast.storage.converge:
    phase: services
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: always
  type: list
  elements: str
"""
