#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""LVM's volume groups, made from whole disks, with their thin pools."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volume_group
short_description: Make LVM volume groups of empty disks
version_added: "1.0.0"
description:
  - Makes each volume group of whole disks, tags it, and makes its thin pool. Adds disks that are new in the list.
  - A disk that holds anything is refused and not written, as by M(holdfast.storage.disk). So is a volume group of the
    same name without the tag, one of two with that name, and a disk that is a part of any other volume group.
  - No disk leaves a volume group, and no logical volume is ever removed.
  - All disks are looked at before the first is written; one refusal, and none is written.
  - A run that was killed anywhere converges when it is run again.
  - Needs the packages C(lvm2) and, for thin pools, C(thin-provisioning-tools).
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
attributes:
  check_mode:
    description: Looks at the disks and writes nothing.
    support: full
options:
  groups:
    description: The volume groups.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the volume group.
        type: str
        required: true
      tag:
        description: The LVM tag by which the volume group is known as this deployment's.
        type: str
        required: true
      devices:
        description: Its disks by stable names, such as those under C(/dev/disk/by-id).
        type: list
        elements: path
        required: true
      thin:
        description: Whether it has a thin pool, called after it with C(-pool), of 95 % of its space.
        type: bool
        default: true
      wipe:
        description: Those of its disks whose content is given up. Nothing happens to one that is in the group already.
        type: list
        elements: path
        default: []
      adopt:
        description:
          - Its name once more. Then a volume group of this name without the tag gets the tag.
          - One with the host's root file system or swap is refused all the same.
        type: str
  confined:
    description:
      - Whether LVM on the host looks at the disks of its own list alone (C(use_devicesfile)), and so never at what
        volumes hold that the host keeps or attaches. Disks of volume groups that stand are put on the list.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: A volume group of two disks
  holdfast.storage.volume_group:
    groups:
      - name: cinder-volumes
        tag: holdfast.north.storage1
        devices: [/dev/disk/by-id/wwn-0x5000c500a1b2c3d4, /dev/disk/by-id/wwn-0x5000c500a1b2c3d5]
    confined: true

- name: Keep LVM away from what attached volumes hold
  holdfast.storage.volume_group:
    groups: []
    confined: true
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode.
  type: list
  elements: str
  returned: success
  sample: [create cinder-volumes, create cinder-volumes/cinder-volumes-pool]
findings:
  description: What was refused and why, when the module fails for that.
  type: list
  elements: dict
  returned: failure
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import volume_group
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run

OPTIONS = {
    "groups": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "tag": {"type": "str", "required": True},
            "devices": {"type": "list", "elements": "path", "required": True},
            "thin": {"type": "bool", "default": True},
            "wipe": {"type": "list", "elements": "path", "default": []},
            "adopt": {"type": "str"},
        },
    },
    "confined": {"type": "bool", "default": False},
}


def main() -> None:
    run(volume_group, OPTIONS)


if __name__ == "__main__":
    main()
