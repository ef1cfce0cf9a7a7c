#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""OSDs of Ceph."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ceph_osd
short_description: Make disks OSDs of a Ceph cluster and run them
version_added: "1.0.0"
description:
  - Makes an OSD on each disk, starts and enables its unit, and waits until it serves.
  - A disk that holds anything is refused and not written. One with the label of an OSD of this cluster is taken as it
    is; one of another cluster is refused, whatever is said about wiping.
  - All disks are looked at before the first is written; one refusal, and none is written.
  - The host's addresses on the public and the cluster network have to be on interfaces before anything is made.
  - An OSD keeps its number when a run that made it was killed and is run again. With O(osds[].mode=lvm) it is
    begun anew; volumes of any other OSD are not taken away.
  - The host needs C(/etc/ceph/ceph.conf) and C(/var/lib/ceph/bootstrap-osd/ceph.keyring).
options:
  fsid:
    description: UUID of the cluster.
    type: str
    required: true
  host:
    description: Name of this host, for messages.
    type: str
    required: true
  addresses:
    description: The host's addresses on the public and on the cluster network.
    type: list
    elements: str
    required: true
  osds:
    description: The OSDs.
    type: list
    elements: dict
    required: true
    suboptions:
      device:
        description: The disk by a stable name, such as one under C(/dev/disk/by-id).
        type: path
        required: true
      class:
        description: Device class, such as V(hdd).
        type: str
      db_device:
        description: Device for the database.
        type: path
      wal_device:
        description: Device for the journal.
        type: path
      mode:
        description: Whether BlueStore has the device as it is, or logical volumes on it.
        type: str
        choices: [raw, lvm]
        default: raw
      encrypted:
        description: Whether it is encrypted by dm-crypt. For O(osds[].mode=lvm).
        type: bool
        default: false
      wipe:
        description: The value of O(osds[].device) once more. Then, and only then, what the disk holds is given up.
        type: path
      uuid:
        description: UUID that a new OSD gets.
        type: str
        required: true
  remove:
    description: UUIDs of OSDs that leave. Of those that the cluster has no more and that do not run nothing stays.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - holdfast.storage.attributes
attributes:
  check_mode:
    description: Looks at the disks and writes nothing.
    support: full
author:
  - Holdfast contributors (@holdfast)
seealso:
  - module: holdfast.storage.ceph_cluster
  - module: holdfast.storage.disk
"""

EXAMPLES = r"""
- name: A disk with its database on NVMe
  holdfast.storage.ceph_osd:
    fsid: 6d0c9f84-3b7a-4a55-9e5a-0b8f7a3f4a11
    host: storage1
    addresses: [192.0.2.1, 198.51.100.1]
    osds:
      - device: /dev/disk/by-id/ata-A1
        class: hdd
        db_device: /dev/disk/by-partlabel/db-a1
        uuid: 1f7f8b1e-6b7a-5d0f-8f0e-0a7d2a9c4e21
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode.
  type: list
  elements: str
  returned: success
  sample: [prepare /dev/disk/by-id/ata-A1]
findings:
  description: What was refused and why, when the module fails for that.
  type: list
  elements: dict
  returned: failure
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.kinds import ceph_osd
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run

OPTIONS = {
    "fsid": {"type": "str", "required": True},
    "host": {"type": "str", "required": True},
    "addresses": {"type": "list", "elements": "str", "required": True},
    "osds": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "device": {"type": "path", "required": True},
            "class": {"type": "str"},
            "db_device": {"type": "path"},
            "wal_device": {"type": "path"},
            "mode": {"type": "str", "choices": ["raw", "lvm"], "default": "raw"},
            "encrypted": {"type": "bool", "default": False},
            "wipe": {"type": "path"},
            "uuid": {"type": "str", "required": True},
        },
    },
    "remove": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    run(ceph_osd, OPTIONS)


if __name__ == "__main__":
    main()
