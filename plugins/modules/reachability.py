# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action reachability; the work is in plugins/action/reachability.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reachability
short_description: See that a host reaches every other one on each of their networks
version_added: "1.0.0"
description:
  - Takes the model that the action M(holdfast.storage.model) left in the run directory, and asks the host by
    M(holdfast.storage.reachability_info) about every other host, with packets that fill the network's MTU.
  - Fails with what does not answer, and the fix. A bridge that is not made yet is an advice.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.reads
options:
  flows:
    description: Also try a connection to every port that the host uses by the flow table.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Ask every neighbour on every network
  holdfast.storage.reachability:
"""

RETURN = r"""
asked:
  description: How many addresses were asked.
  returned: success
  type: int
  sample: 9
findings:
  description: What is wrong or worth knowing, each with severity, code, where, what and fix.
  returned: always
  type: list
  elements: dict
"""
