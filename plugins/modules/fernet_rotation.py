# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action fernet_rotation; the work is in plugins/action, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fernet_rotation
short_description: Rotate keystone's token keys among the deployment's secrets
version_added: "1.0.0"
description:
  - When the last rotation is C(keystone_fernet_rotation_hours) ago, the staged key becomes the primary, a new one is
    staged, and keys beyond C(keystone_fernet_max_active_keys) go.
  - Only the vault file is changed. Hosts get the keys when they are converged, one after another if need be, as all of
    them have the staged key already.
  - Reads the model that M(holdfast.storage.model) left.
author:
  - Holdfast contributors (@holdfast)
attributes:
  check_mode:
    description: Says whether the keys are due and changes nothing.
    support: full
  diff_mode:
    description: Keys are never shown.
    support: none
options:
  force:
    description: Whether to rotate keys that are not due.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Rotate the token keys when they are due
  holdfast.storage.fernet_rotation:
  run_once: true
"""

RETURN = r"""
age_hours:
  description: Hours since the last rotation, before this one.
  returned: success
  type: float
  sample: 721.5
keys:
  description: How many keys there were.
  returned: success
  type: int
  sample: 3
"""
