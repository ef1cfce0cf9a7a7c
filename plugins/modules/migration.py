#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Bring stored state to the installed version of a service."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migration
short_description: Bring stored state to the installed version of a service
version_added: "1.0.0"
description:
  - Runs each command that has not yet succeeded on this host with these arguments and package versions.
  - The commands must be safe to run twice.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  migrations:
    description: The commands, in their order.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name under which success is recorded.
        type: str
        required: true
      argv:
        description: The command and its arguments. No secrets here, others can read a command line.
        type: list
        elements: str
        required: true
      user:
        description: System user that runs it.
        type: str
      packages:
        description: Packages whose change of version asks for another run.
        type: list
        elements: str
        default: []
      environment:
        description: Environment of the command, secrets included.
        type: dict
        default: {}
"""

EXAMPLES = r"""
- name: Migrate the image service's schema
  holdfast.storage.migration:
    migrations:
      - name: glance-db-sync
        argv: [glance-manage, db_sync]
        user: glance
        packages: [glance-common]
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["run glance-db-sync"]
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import migration
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    entry = {
        "name": {"type": "str", "required": True},
        "argv": {"type": "list", "elements": "str", "required": True},
        "user": {"type": "str"},
        "packages": {"type": "list", "elements": "str", "default": []},
        "environment": {"type": "dict", "default": {}, "no_log": True},
    }
    runner.run(migration, {"migrations": {"type": "list", "elements": "dict", "required": True, "options": entry}})


if __name__ == "__main__":
    main()
