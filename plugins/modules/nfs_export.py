#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""What a kernel NFS server exports."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nfs_export
short_description: Export directories by the kernel's NFS server
version_added: "1.0.0"
description:
  - Makes directories on mounted disks, and exports each to a list of addresses by C(/etc/exports.d/holdfast.exports).
    Other files of exports are let be.
  - A directory is made only where its disk is mounted. What it holds is never changed.
  - Exports of a running server are loaded without stopping it.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  exports:
    description: All exports of Holdfast on the host.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The directory.
        type: path
        required: true
      disk:
        description: The mount point of the disk that holds it.
        type: path
        required: true
      owner:
        description: Number of the user and of the group that own it. Its mode is 0770.
        type: int
        required: true
      clients:
        description: Addresses that may mount it. Without any it is not exported.
        type: list
        elements: str
        required: true
      options:
        description: Options of the export, as in exports(5).
        type: str
        default: rw,sync,root_squash,no_subtree_check,sec=sys
"""

EXAMPLES = r"""
- name: A share for volumes, to two hosts
  holdfast.storage.nfs_export:
    exports:
      - path: /srv/nfs/d1/volumes
        disk: /srv/nfs/d1
        owner: 64061
        clients: [172.29.244.21, 172.29.244.31]
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode.
  type: list
  elements: str
  returned: success
  sample: [create /srv/nfs/d1/volumes, create /etc/exports.d/holdfast.exports]
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.nfs.kinds import nfs_export
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run

OPTIONS = {
    "exports": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "path": {"type": "path", "required": True},
            "disk": {"type": "path", "required": True},
            "owner": {"type": "int", "required": True},
            "clients": {"type": "list", "elements": "str", "required": True},
            "options": {"type": "str", "default": "rw,sync,root_squash,no_subtree_check,sec=sys"},
        },
    },
}


def main() -> None:
    run(nfs_export, OPTIONS)


if __name__ == "__main__":
    main()
