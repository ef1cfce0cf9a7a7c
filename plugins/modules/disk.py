#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Disks with a file system, mounted by label."""

from __future__ import annotations

DOCUMENTATION = r"""
module: disk
short_description: Give empty disks an XFS and mount them
version_added: "1.0.0"
description:
  - Makes an XFS with a given label on each disk, mounts it by a systemd mount unit and sets its owner.
  - A disk that holds anything is refused and not written, whatever it holds - a file system, a partition table, LVM,
    LUKS, RAID, BlueStore, or bytes that are not zero and that no tool knows. So are disks in use, partitions of one
    that is, read-only or removable ones, and names that can belong to another disk after a boot while a stable name
    exists.
  - All disks are looked at before the first is written; one refusal, and none is written.
  - A disk that carries the label already is taken as it is.
  - A run that was killed anywhere converges when it is run again.
options:
  disks:
    description: The disks.
    type: list
    elements: dict
    required: true
    suboptions:
      device:
        description: The disk by a stable name, such as one under C(/dev/disk/by-id).
        type: path
        required: true
      label:
        description: Label of the file system, at most 12 characters, not used for any other disk.
        type: str
        required: true
      mount:
        description: Where it is mounted.
        type: path
        required: true
      owner:
        description: Owner of the mounted file system's root directory.
        type: str
        default: root
      group:
        description: Its group.
        type: str
        default: root
      mode:
        description: Its mode, four octal digits.
        type: str
        default: "0755"
      options:
        description: Mount options.
        type: str
        default: noatime,nodev,noexec,nosuid,nofail
      minimum_bytes:
        description: A disk with fewer bytes is refused.
        type: int
        default: 536870912
      wipe:
        description:
          - The value of O(disks[].device) once more. Then, and only then, what the disk holds is given up.
          - Nothing happens to a disk that carries the label already, and a disk in use is refused all the same.
        type: path
extends_documentation_fragment:
  - holdfast.storage.attributes
attributes:
  check_mode:
    description: Looks at the disks and writes nothing.
    support: full
author:
  - Holdfast contributors (@holdfast)
"""

EXAMPLES = r"""
- name: Two disks for Swift
  holdfast.storage.disk:
    disks:
      - {device: /dev/disk/by-id/ata-A1, label: swift-a1, mount: /srv/node/d1, owner: swift, group: swift}
      - {device: /dev/disk/by-id/ata-A2, label: swift-a2, mount: /srv/node/d2, owner: swift, group: swift}

- name: Give up what a disk holds
  holdfast.storage.disk:
    disks:
      - device: /dev/disk/by-id/ata-A3
        wipe: /dev/disk/by-id/ata-A3
        label: swift-a3
        mount: /srv/node/d3
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode.
  type: list
  elements: str
  returned: success
  sample: [format /dev/disk/by-id/ata-A1, create /etc/systemd/system/srv-node-d1.mount, mount /srv/node/d1]
findings:
  description: What was refused and why, when the module fails for that.
  type: list
  elements: dict
  returned: failure
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import disk
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run

OPTIONS = {
    "disks": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "device": {"type": "path", "required": True},
            "label": {"type": "str", "required": True},
            "mount": {"type": "path", "required": True},
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
            "mode": {"type": "str", "default": "0755"},
            "options": {"type": "str", "default": disk.OPTIONS},
            "minimum_bytes": {"type": "int", "default": disk.MINIMUM_BYTES},
            "wipe": {"type": "path"},
        },
    },
}


def main() -> None:
    run(disk, OPTIONS)


if __name__ == "__main__":
    main()
