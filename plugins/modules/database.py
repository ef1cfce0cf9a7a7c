#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Make MariaDB schemas, each with one account that owns it, any number in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: database
short_description: Make MariaDB schemas with the accounts that own them
version_added: "1.0.0"
description:
  - Runs on a server's own host, over its unix socket, as root.
  - Each account may do everything in its own schema and nothing elsewhere, and must connect by TLS.
  - Other accounts of the same user name, and anonymous accounts, are removed. Schemas are never dropped.
  - Where a schema is on the disk and no server answers, the plan is to C(wait for) the database. The
    module asks it again, and then does what remains, or fails.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  databases:
    description: The schemas.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the schema, letters, digits and underscores.
        type: str
        required: true
      user:
        description: Name of its account. The schema's name by default.
        type: str
      password:
        description: The account's password.
        type: str
        required: true
      hosts:
        description: From where it may connect, in MariaDB's form, such as C(172.29.236.0/255.255.252.0).
        type: list
        elements: str
        default: ["%"]
      character_set:
        description: The schema's character set.
        type: str
        default: utf8mb4
"""

EXAMPLES = r"""
- name: Make the image service's schema
  holdfast.storage.database:
    databases:
      - name: glance
        password: "{{ glance_database_password }}"
        hosts: ["172.29.236.0/255.255.252.0"]
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["create schema glance", "create account glance@172.29.236.0/255.255.252.0"]
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations.kinds import database
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    entry = {
        "name": {"type": "str", "required": True},
        "user": {"type": "str"},
        "password": {"type": "str", "required": True, "no_log": True},
        "hosts": {"type": "list", "elements": "str", "default": ["%"]},
        "character_set": {"type": "str", "default": "utf8mb4"},
    }
    runner.run(database, {"databases": {"type": "list", "elements": "dict", "required": True, "options": entry}})


if __name__ == "__main__":
    main()
