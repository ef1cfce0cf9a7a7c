# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action verify_begin; the work is in plugins/action/verify_begin.py, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_begin
short_description: Begin a verification
version_added: "1.0.0"
description:
  - Removes what earlier verifications left, and returns what the tasks between the stories need.
  - Refuses check mode and a play that lacks hosts of the deployment, since both would prove nothing.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.verifies
options:
  disruptive:
    description: Whether stories are told for which a host is cut off.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Begin
  holdfast.storage.verify_begin:
  run_once: true
  register: verify_scene
"""

RETURN = r"""
facts:
  description: What the stories and tasks of each subject have to know, by its name.
  returned: always
  type: dict
name:
  description: The name of the first thing of a kind that is made. Those of others begin with it.
  returned: always
  type: str
parts:
  description: The files of tasks that tell the stories, in order.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: What it is, for people.
      type: str
    role:
      description: The role that has it.
      type: str
    tasks:
      description: Its name there.
      type: str
run:
  description: Name of this verification.
  returned: always
  type: str
"""
