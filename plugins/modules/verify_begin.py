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
"""

EXAMPLES = r"""
- name: Begin
  holdfast.storage.verify_begin:
  run_once: true
  register: verify_scene
"""

RETURN = r"""
account:
  description: The administrator's account in the object store.
  returned: when there is an object store
  type: str
run:
  description: Name of this verification.
  returned: always
  type: str
storage_hosts:
  description: Names of the storage hosts by their addresses on the storage network.
  returned: always
  type: dict
"""
