#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""A bcrypt that every module of Ceph's manager can load."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ceph_mgr
short_description: Give the manager of Ceph a bcrypt that its modules can load
version_added: "1.0.0"
description:
  - Each module of C(ceph-mgr) runs in a Python interpreter of its own, and the bcrypt of Debian 13 cannot be loaded in
    more than one, so that many modules fail.
  - Tries whether that is so, gives the manager a stand-in then, and takes it away where it is not.
  - The manager has to be restarted afterwards.
options:
  state:
    description: V(auto) tries. V(present) and V(absent) do not.
    type: str
    choices: [auto, present, absent]
    default: auto
extends_documentation_fragment:
  - holdfast.storage.attributes
author:
  - Holdfast contributors (@holdfast)
"""

EXAMPLES = r"""
- name: Let all modules of the manager load
  holdfast.storage.ceph_mgr:
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode.
  type: list
  elements: str
  returned: success
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.kinds import ceph_mgr
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run

OPTIONS = {"state": {"type": "str", "choices": ["auto", "present", "absent"], "default": "auto"}}


def main() -> None:
    run(ceph_mgr, OPTIONS)


if __name__ == "__main__":
    main()
