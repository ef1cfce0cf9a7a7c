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
  - The answer, digests and never contents, stands in the run directory afterwards.
  - On the host that keeps the lock it takes the lock of the deployment too, and refuses when another run holds it,
    unless that was a run of this machine that is gone.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.run
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
