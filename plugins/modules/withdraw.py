# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action withdraw; the work is in plugins/action/withdraw.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: withdraw
short_description: Take a deployment's services off a host
version_added: "1.0.0"
description:
  - Stops and disables every unit of the deployment on the host, then removes the files that were written for them.
  - Networks, packages, directories and data stay.
  - Needs the model that M(holdfast.storage.model) left, and the deployment's name as a confirmation.
author:
  - Holdfast contributors (@holdfast)
attributes:
  check_mode:
    description: Says what it would do and changes nothing.
    support: full
  diff_mode:
    description: Shows what goes, without secrets.
    support: full
options:
  deployment:
    description: The deployment's name, typed by somebody who means it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Withdraw from the host
  holdfast.storage.withdraw:
    deployment: lab
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: always
  type: list
  elements: str
"""
