# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action model; the work is in plugins/action/model.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: model
short_description: Check the inventory and make it the model of the deployment
version_added: "1.0.0"
description:
  - Checks the variables of every host of the inventory against their schemas and against the rules of the domain.
  - Fails with all findings at once, each with its place, its reason and its remedy. No host is contacted.
  - Assigns addresses that are not given and makes secrets that are missing, and keeps both beside the inventory.
  - Run it once a play; it looks at all hosts of the inventory, whatever the play or the limit.
author:
  - Holdfast contributors (@holdfast)
attributes:
  check_mode:
    description: Writes nothing but the run directory in check mode; missing secrets are made for this run only.
    support: full
  diff_mode:
    description: There is nothing to show, since no host is changed.
    support: none
options:
  offline:
    description: Whether to check only, and to write nothing at all.
    type: bool
    default: false
  renew:
    description: Names of secrets that are made anew. Who renews them brings them where they are used.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Check the inventory
  holdfast.storage.model:
    offline: true
  run_once: true
"""

RETURN = r"""
findings:
  description: Advice about the inventory, or what is wrong with it.
  returned: always
  type: list
  elements: dict
  sample:
    - severity: error
      code: networks.overlap
      where: "inventory/lab/group_vars/all/main.yml:14: networks_bridges.repl.cidr"
      what: "172.29.244.0/23 overlaps 172.29.244.0/22 of storage: traffic of one could not be told from the other's."
      fix: Give storage and repl ranges apart.
summary:
  description: What the inventory holds, and the advice as text.
  returned: success
  type: dict
"""
