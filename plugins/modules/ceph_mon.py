#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""The store of a monitor of Ceph."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ceph_mon
short_description: Make the store of a monitor of Ceph
version_added: "1.0.0"
description:
  - Makes the store of the monitor on this host when it has none. Its unit is started by M(holdfast.storage.unit).
  - With O(bootstrap) the monitors begin a new cluster together. Without it the monitor gets the map of the cluster that
    is there, and joins it; it fails where that cluster does not answer. Called by its action in a deployment, this
    follows from what all hosts hold. No cluster is begun where a monitor answered once, or where a disk or logical
    volume belongs to an OSD of it.
  - The monitor's address has to be on an interface of the host.
  - A store of another cluster is refused. A run that was killed anywhere converges when it is run again.
options:
  fsid:
    description: UUID of the cluster.
    type: str
    required: true
  name:
    description: Name of the monitor, which is its host's.
    type: str
    required: true
  address:
    description: Its address on the public network.
    type: str
    required: true
  monitors:
    description: The monitors that begin a cluster.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      address:
        description: Address on the public network.
        type: str
        required: true
  port:
    description: Port of the second protocol.
    type: int
    default: 3300
  keys:
    description: Keys that a new cluster has from its beginning, that of C(mon.) among them.
    type: list
    elements: dict
    required: true
    suboptions:
      entity:
        description: Whose key it is, such as C(client.admin).
        type: str
        required: true
      key:
        description: The key.
        type: str
        required: true
      caps:
        description: What it allows, by service.
        type: dict
        required: true
  bootstrap:
    description: Whether there is no cluster yet.
    type: bool
extends_documentation_fragment:
  - holdfast.storage.attributes
author:
  - Holdfast contributors (@holdfast)
seealso:
  - module: holdfast.storage.ceph_cluster
  - module: holdfast.storage.ceph_osd
"""

EXAMPLES = r"""
- name: The first of three monitors
  holdfast.storage.ceph_mon:
    fsid: 6d0c9f84-3b7a-4a55-9e5a-0b8f7a3f4a11
    name: storage1
    address: 192.0.2.1
    monitors:
      - {name: storage1, address: 192.0.2.1}
      - {name: storage2, address: 192.0.2.2}
      - {name: storage3, address: 192.0.2.3}
    keys:
      - {entity: mon., key: "{{ mon_key }}", caps: {mon: allow *}}
      - {entity: client.admin, key: "{{ admin_key }}", caps: {mon: allow *, osd: allow *, mgr: allow *, mds: allow *}}
    bootstrap: true
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode.
  type: list
  elements: str
  returned: success
  sample: [create /var/lib/ceph/mon/ceph-storage1]
findings:
  description: What was refused and why, when the module fails for that.
  type: list
  elements: dict
  returned: failure
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.kinds import ceph_mon
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run

OPTIONS = {
    "fsid": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "monitors": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {"name": {"type": "str", "required": True}, "address": {"type": "str", "required": True}},
    },
    "port": {"type": "int", "default": 3300},
    "keys": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "no_log": False,
        "options": {
            "entity": {"type": "str", "required": True},
            "key": {"type": "str", "required": True, "no_log": True},
            "caps": {"type": "dict", "required": True},
        },
    },
    "bootstrap": {"type": "bool"},
}


def main() -> None:
    run(ceph_mon, OPTIONS)


if __name__ == "__main__":
    main()
