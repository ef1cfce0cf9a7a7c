#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Give up disks, with all that stands on them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: erasure
short_description: Erase disks that are named, with their volume groups and OSDs
version_added: "1.0.0"
description:
  - Unmounts each disk, closes OSDs on its logical volumes, removes its volume group and erases its signatures, so that
    it is empty to M(holdfast.storage.disk) and the modules like it.
  - A volume group goes whole. It is refused when one of its disks is not named, when it is neither an OSD's nor carries
    O(tag), and when somebody has a volume of it open. So is a disk that has another use, such as a mounted partition.
  - All disks are looked at before the first is written; one refusal, and nothing is changed.
  - It is quick, and so no destruction of data. What lies between signatures can be found on the disk still.
  - An action of the same name takes O(disks) on the controller, refuses what the inventory does not declare, and gives
    the module the disks of its host.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  disks:
    description: Disks as C(HOST:DEVICE), of any hosts. For the action.
    type: list
    elements: str
  devices:
    description: Disks of this host. From the action.
    type: list
    elements: path
    default: []
  tag:
    description: Tag of volume groups that may be removed. From the action.
    type: str
"""

EXAMPLES = r"""
- name: Give up two disks
  holdfast.storage.erasure:
    disks: ["storage1:/dev/disk/by-id/wwn-1", "storage1:/dev/disk/by-id/wwn-2"]
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
findings:
  description: What was refused and why, when the module fails for that.
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import osd_volume
from ansible_collections.holdfast.storage.plugins.module_utils.core.destroy.kinds.erasure import Erasure
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run

OPTIONS = {
    "disks": {"type": "list", "elements": "str"},
    "devices": {"type": "list", "elements": "path", "default": []},
    "tag": {"type": "str"},
}


def main() -> None:
    run(Erasure(osd_volume), OPTIONS)


if __name__ == "__main__":
    main()
