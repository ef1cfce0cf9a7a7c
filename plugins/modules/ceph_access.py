#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Whether this host can use a Ceph that others administer."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ceph_access
short_description: Try whether this host can use a Ceph cluster of others
version_added: "1.0.0"
description:
  - Connects to each monitor from the host's own address, and tries as each client whether its pools are there and may
    be used. Fails with all that is wrong.
  - A right to write is tried by the removal of an object that does not exist. Nothing is changed, here or there.
options:
  host:
    description: Name of this host, for messages.
    type: str
    required: true
  source:
    description: The host's address from which it connects.
    type: str
    required: true
  port:
    description: Port of the monitors.
    type: int
    default: 3300
  monitors:
    description: Addresses of the monitors.
    type: list
    elements: str
    required: true
  clients:
    description: Clients, whose keyrings are C(/etc/ceph/ceph.client.NAME.keyring).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name, without C(client.).
        type: str
        required: true
      key:
        description: >-
          What tells its key, the first 16 digits of its SHA-256 in hexadecimal. A keyring with another key is tried
          when it has been replaced.
        type: str
      writes:
        description: Pools that it has to write.
        type: list
        elements: str
        default: []
      reads:
        description: Pools that it has to read.
        type: list
        elements: str
        default: []
attributes:
  check_mode:
    description: It never changes anything.
    support: full
  diff_mode:
    description: The clients that had no keyring yet when it began.
    support: full
author:
  - Holdfast contributors (@holdfast)
"""

EXAMPLES = r"""
- name: Images can be kept there
  holdfast.storage.ceph_access:
    host: control1
    source: 192.0.2.11
    monitors: [192.0.2.91, 192.0.2.92, 192.0.2.93]
    clients:
      - {name: glance, writes: [images]}
"""

RETURN = r"""
findings:
  description: What is wrong, when the module fails for that.
  type: list
  elements: dict
  returned: failure
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.kinds import ceph_access
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run

_NAMES = {"type": "list", "elements": "str", "default": []}
OPTIONS = {
    "host": {"type": "str", "required": True},
    "source": {"type": "str", "required": True},
    "port": {"type": "int", "default": 3300},
    "monitors": {"type": "list", "elements": "str", "required": True},
    "clients": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "key": {"type": "str", "no_log": False},
            "writes": _NAMES,
            "reads": _NAMES,
        },
    },
}


def main() -> None:
    run(ceph_access, OPTIONS)


if __name__ == "__main__":
    main()
