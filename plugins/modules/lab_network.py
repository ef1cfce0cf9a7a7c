#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Have the lab's switches on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_network
short_description: Have the lab's switches on the controller
version_added: "1.0.0"
description:
  - Makes Linux bridges that lab hosts are plugged into, and lets hosts behind one with an address reach the internet.
  - Claims the machine for the lab, since there can be one lab at a time. A second one is refused and told who holds it;
    a lab that is dead holds nothing.
  - Forwarding is allowed and masqueraded in a table of nftables of its own, and in Docker's chain where Docker runs.
  - Taken away, it leaves what stood before, IP forwarding included.
author:
  - Holdfast contributors (@holdfast)
requirements:
  - iproute2
  - nftables
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  state_dir:
    description: Absolute path of the lab's state directory, by which the lab is known.
    type: path
    required: true
  switches:
    description: The switches. Not needed to take them away.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the bridge, of 15 characters at most.
        type: str
        required: true
      address:
        description: The controller's address on it with prefix length. It is the hosts' gateway.
        type: str
        default: ""
  state:
    description: Whether they are there. V(absent) takes away those of any lab that is not another's and alive.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Have the switches
  holdfast.storage.lab_network:
    state_dir: /srv/holdfast/.lab
    switches:
      - {name: hf-mgmt, address: 172.29.236.1/22}
      - {name: hf-storage}
  become: true
"""

RETURN = r"""
actions:
  description: What was done, or would be.
  returned: success
  type: list
  elements: str
findings:
  description: Why it was refused, or what is advised.
  returned: always
  type: list
  elements: dict
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import network
from ansible_collections.holdfast.storage.plugins.module_utils.host.lab import machine_lock
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run

OPTIONS = {
    "state_dir": {"type": "path", "required": True},
    "switches": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"name": {"type": "str", "required": True}, "address": {"type": "str", "default": ""}},
    },
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    with machine_lock():
        run(network, OPTIONS)


if __name__ == "__main__":
    main()
