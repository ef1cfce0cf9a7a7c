# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action render; the work is in plugins/action/render.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: render
short_description: Write what a deployment would put on its hosts
version_added: "1.1.0"
description:
  - Checks the inventory as M(holdfast.storage.model) does, and asks no host.
  - Writes for each host the configuration files. Writes by phase and kind what is wanted, what the host would be asked,
    and the plan for a bare host.
  - No secret is written. A placeholder with its name stands for each.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.run
options:
  directory:
    description: Where to write. It is emptied first, and has to be empty or one that this wrote.
    type: path
    required: true
seealso:
  - module: holdfast.storage.plan
"""

EXAMPLES = r"""
- name: Write what would be on the hosts
  holdfast.storage.render:
    directory: /tmp/rendered
  run_once: true
"""

RETURN = r"""
msg:
  description: How many files were written, and where.
  returned: success
  type: str
  sample: 512 files in /tmp/rendered
"""
