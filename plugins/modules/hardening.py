#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Harden a host's SSH server and its kernel's settings."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hardening
short_description: Harden a host's SSH server and its kernel's settings
version_added: "1.1.0"
description:
  - Keeps one file of options of the SSH server, which comes before those of others, and one of settings of the kernel.
  - A file that the SSH server does not take is refused before anything is changed.
  - Unless the change is confirmed over a new connection within O(rollback_seconds), the host goes back to what it had.
    The action of the same name confirms.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
attributes:
  idempotence:
    description: A second run finds nothing to do.
    support: full
options:
  sshd:
    description: Options of the SSH server by name. Without any the file is removed.
    type: dict
    default: {}
  sysctl:
    description: Settings of the kernel by name, of which those that it does not have are left out. Without any the file
      is removed, and settings stay as they are until the host boots.
    type: dict
    default: {}
  rollback_seconds:
    description: Time in seconds after which the host undoes a change that nobody has confirmed.
    type: int
    default: 45
  stage:
    description:
      - V(apply) starts the change, V(settle) sees it made, V(confirm) keeps it.
      - The action sets it. Leave it alone in a task.
    type: str
    choices: [apply, settle, confirm]
    default: apply
  change:
    description: Identity of the change, the time in nanoseconds when its run came to it. The action sets it.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Take keys only, and no redirects
  holdfast.storage.hardening:
    sshd: {PasswordAuthentication: "no", PermitRootLogin: prohibit-password}
    sysctl: {net.ipv4.conf.all.accept_redirects: "0"}
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["create /etc/ssh/sshd_config.d/00-holdfast.conf", "set kernel.dmesg_restrict"]
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.hardening.kinds import hardening
from ansible_collections.holdfast.storage.plugins.module_utils.host import guarded


def main() -> None:
    guarded.run(
        hardening,
        {
            "sshd": {"type": "dict", "default": {}},
            "sysctl": {"type": "dict", "default": {}},
            "rollback_seconds": {"type": "int", "default": 45},
        },
    )


if __name__ == "__main__":
    main()
