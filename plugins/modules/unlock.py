# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action unlock; the work is in plugins/action/unlock.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unlock
short_description: Give the deployment's lock back
version_added: "1.0.0"
description:
  - Removes the lock that M(holdfast.storage.probe) took in this run, and no other.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.run
options: {}
"""

EXAMPLES = r"""
- name: Give the lock back
  holdfast.storage.unlock:
"""

RETURN = r"""
{}
"""
