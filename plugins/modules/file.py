#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Write files, directories and links, any number in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: file
short_description: Write files, directories and links, any number in one call
version_added: "1.0.0"
description:
  - Each file is written whole or not at all.
  - The diff hides the values of sensitive options, and says that they change.
  - The content travels in the arguments of the module, use C(no_log) on the task when you call it with secrets.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  files:
    description: What must stand, in the order in which it is made.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      state:
        description:
          - What it is.
          - C(block) is a part of a file that is somebody else's. It stands between two lines at the beginning, other
            lines stay, and without content it is taken out.
        type: str
        choices: [file, block, directory, link, absent]
        default: file
      replaces:
        description: The first line of a file that was written as a whole and is a block now. What is below it goes.
        type: str
      drop:
        description: A regular expression. Lines outside the block that begin with it go.
        type: str
      content:
        description: The text of a file.
        type: str
      secret:
        description: Whether the content as a whole is a secret, so that a diff shows its digest only.
        type: bool
        default: false
      target:
        description: Where a link points.
        type: path
      owner:
        description: Name of the user that owns it.
        type: str
        default: root
      group:
        description: Name of its group.
        type: str
        default: root
      mode:
        description: Permissions, four octal digits.
        type: str
        default: "0644"
"""

EXAMPLES = r"""
- name: Configure the object server
  holdfast.storage.file:
    files:
      - path: /etc/swift
        state: directory
        group: swift
        mode: "0750"
      - path: /etc/swift/object-server.conf
        content: "{{ object_server_configuration }}"
        group: swift
        mode: "0640"
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["create /etc/swift", "create /etc/swift/object-server.conf"]
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import file
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    entry = {
        "path": {"type": "path", "required": True},
        "state": {"type": "str", "choices": ["file", "block", "directory", "link", "absent"], "default": "file"},
        "replaces": {"type": "str"},
        "drop": {"type": "str"},
        "content": {"type": "str"},
        "secret": {"type": "bool", "default": False},
        "target": {"type": "path"},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
        "mode": {"type": "str", "default": "0644"},
    }
    runner.run(file, {"files": {"type": "list", "elements": "dict", "required": True, "options": entry}})


if __name__ == "__main__":
    main()
