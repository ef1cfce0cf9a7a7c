# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action verify_counters; the work is in plugins/action/verify_counters.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_counters
short_description: Read a host's byte counters
version_added: "1.0.0"
description:
  - >-
    Reads the named counters of the firewall and the kernel's statistics of the bridges, and keeps them for
    M(holdfast.storage.verify_end).
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.writes
options:
  after:
    description: The story that was told before this reading. The first reading has none.
    type: str
"""

EXAMPLES = r"""
- name: Count the bytes of the story
  holdfast.storage.verify_counters:
    after: object.put
"""

RETURN = r"""
{}
"""
