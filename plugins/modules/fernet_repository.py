#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Bring keystone's key repositories to given keys."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fernet_repository
short_description: Bring keystone's key repositories to given keys
version_added: "1.0.0"
description:
  - Each key is written whole or not at all, the primary first and the staged one last, and surplus keys go.
  - Give all identity hosts the same keys. They may get a rotation one after another.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
attributes:
  diff_mode:
    description: The diff is the plan, with the first digits of the keys' SHA-256.
    support: full
options:
  repositories:
    description: The directories.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      group:
        description: Name of the group that reads the keys. They belong to root.
        type: str
        default: keystone
      keys:
        description: Keys by number. 0 is the staged one, the highest the primary.
        type: dict
        required: true
"""

EXAMPLES = r"""
- name: Share the token keys
  holdfast.storage.fernet_repository:
    repositories:
      - path: /etc/keystone/fernet-keys
        keys: "{{ token_keys }}"
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["create /etc/keystone/fernet-keys", "create /etc/keystone/fernet-keys/1"]
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone.kinds import fernet_repository
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    entry = {
        "path": {"type": "path", "required": True},
        "group": {"type": "str", "default": fernet_repository.GROUP},
        "keys": {"type": "dict", "required": True, "no_log": True},
    }
    options = {"repositories": {"type": "list", "elements": "dict", "required": True, "options": entry}}
    runner.run(fernet_repository, options)


if __name__ == "__main__":
    main()
