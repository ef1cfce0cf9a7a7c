#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Give a compute host the id under which its instances are entered."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_node
short_description: Give a compute host the id under which its instances are entered
version_added: "1.1.0"
description:
  - Writes C(/etc/nova/compute_id) where nova has no id yet. An id that stands there is never changed; another one is
    refused.
  - Refuses a new compute host on which libvirt has guests, files of instances over which a share would be mounted, and
    C(kvm) without its device.
  - In a run of C(site.yml) it also compares the compute hosts' names and processors.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  host:
    description: Name of the host, for messages.
    type: str
    required: true
  id:
    description: The id, a UUID.
    type: str
    required: true
  instances:
    description: Directory of the disks of instances.
    type: path
    default: /var/lib/nova/instances
  share:
    description: What is to be mounted there, as C(ADDRESS:/PATH); empty for nothing.
    type: str
    default: ""
  virt_type:
    description: How the host is to run instances.
    type: str
    choices: [auto, kvm, qemu]
    default: auto
  cpu_mode:
    description: What processor instances see.
    type: str
    choices: [host-model, host-passthrough, custom]
    default: host-model
  flavors:
    description: Flavors of which each should fit on the host or, in a run of C(site.yml), on another one.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      vcpus:
        description: Processors.
        type: int
        required: true
      memory_mb:
        description: Memory in MiB.
        type: int
        required: true
"""

EXAMPLES = r"""
- name: Have an id
  holdfast.storage.compute_node:
    host: compute1
    id: 4a5c0f2e-4b3e-5f0a-9d5b-0a6b8e2f7c11
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["create /etc/nova/compute_id"]
findings:
  description: What was refused and why, when the module fails for that.
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.nova.kinds import compute_node
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    number = {"type": "int", "required": True}
    flavor = {"name": {"type": "str", "required": True}, "vcpus": number, "memory_mb": number}
    options = {
        "host": {"type": "str", "required": True},
        "id": {"type": "str", "required": True},
        "instances": {"type": "path", "default": "/var/lib/nova/instances"},
        "share": {"type": "str", "default": ""},
        "virt_type": {"type": "str", "choices": ["auto", "kvm", "qemu"], "default": "auto"},
        "flavors": {"type": "list", "elements": "dict", "default": [], "options": flavor},
        "cpu_mode": {"type": "str", "choices": ["host-model", "host-passthrough", "custom"], "default": "host-model"},
    }
    runner.run(compute_node, options)


if __name__ == "__main__":
    main()
