# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action probe; the work is in plugins/action/probe.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: probe
short_description: Read everything that concerns a host by one SSH command
version_added: "1.0.0"
description:
  - Sends the C(read) functions of the kinds as one script to C(python3 -I -S -) on the host.
  - The questions are those that M(holdfast.storage.model) left.
  - The answer stands in the run directory afterwards: digests, never contents.
  - On the host that keeps the lock it takes the lock of the deployment too, and refuses when a living run holds it.
author:
  - Holdfast contributors (@holdfast)
attributes:
  check_mode:
    description: Works the same in check mode and changes nothing on a host.
    support: full
  diff_mode:
    description: Shows what differs, without secrets.
    support: full
options:
  lock:
    description: Whether to take the deployment's lock. Never taken in check mode.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read the host
  holdfast.storage.probe:
    lock: true
"""

RETURN = r"""
{}
"""
