# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plan; the work is in plugins/action/plan.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Compute what the deployment needs
version_added: "1.0.0"
description:
  - Compares what M(holdfast.storage.probe) found on the hosts of the play with what the model wants.
  - All of them at once, so that what spans hosts is seen, and what spans kinds, such as a disk that two would have.
  - Fails with all findings when something forbids the run, before anything is changed.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.run
options: {}
"""

EXAMPLES = r"""
- name: Plan the deployment
  holdfast.storage.plan:
  run_once: true
  register: holdfast_plan
"""

RETURN = r"""
groups:
  description: For each host, the groups of the phases in which it has something to do.
  returned: success
  type: dict
  sample: {storage1: [phase_devices, roll_services]}
summary:
  description: For each host that differs, what will be done, in order.
  returned: success
  type: dict
  sample: {storage1: ["devices/disk: format /dev/disk/by-id/nvme-1"]}
findings:
  description: Advice about the hosts, or what forbids the run.
  returned: always
  type: list
  elements: dict
"""
