#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Bring the host's Open vSwitch to what is wanted: bridges, their ports, and what OVN reads of the host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_switch
short_description: Bridges of Open vSwitch and the settings that OVN reads, by one command
version_added: "1.1.0"
description:
  - Reads the switch's database by one C(ovs-vsctl) and changes what differs by one other.
  - Bridges that it makes are marked with C(external_ids:holdfast). Those that are missing in the list go again; bridges
    of others, such as C(br-int), are left alone, as are settings that are not named.
  - A bridge with addresses is waited for until the host has them. M(holdfast.storage.network) has systemd-networkd give
    them to it.
  - An interface that is in a bridge of somebody else's is refused, and so is another datapath for a C(br-int) that has
    ports.
  - Where all was there once (C(/var/lib/holdfast/virtual_switch.made)) and no switch answers, the plan is to
    C(wait for) it. The module waits, and then does what remains.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
requirements:
  - openvswitch-switch
options:
  bridges:
    description: The bridges that the switch makes.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the bridge.
        type: str
        required: true
      datapath:
        description: What moves its packets, C(system) the kernel, C(netdev) the switch itself.
        type: str
        choices: [system, netdev]
        default: system
      port:
        description: The interface that it takes.
        type: str
        required: true
      addresses:
        description: IPv4 addresses, with their prefix length, that the host has by it.
        type: list
        elements: str
        default: []
  external_ids:
    description: What OVN reads of the host, by name. An empty value takes it out.
    type: dict
    default: {}
seealso:
  - module: holdfast.storage.network
"""

EXAMPLES = r"""
- name: Let the switch have a bridge to the external network, and know the databases
  holdfast.storage.virtual_switch:
    bridges:
      - {name: br-external, port: eth4}
    external_ids:
      ovn-remote: ssl:172.29.236.11:6642
      ovn-encap-type: geneve
      ovn-encap-ip: 172.29.240.31
      ovn-bridge-mappings: external:br-external
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["create br-external", "create what OVN reads of the host"]
findings:
  description: What was refused and why, when the module fails for that.
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.neutron.kinds import virtual_switch
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    bridge = {
        "name": {"type": "str", "required": True},
        "datapath": {"type": "str", "choices": ["system", "netdev"], "default": "system"},
        "port": {"type": "str", "required": True},
        "addresses": {"type": "list", "elements": "str", "default": []},
    }
    runner.run(
        virtual_switch,
        {
            "bridges": {"type": "list", "elements": "dict", "default": [], "options": bridge},
            "external_ids": {"type": "dict", "default": {}},
        },
    )


if __name__ == "__main__":
    main()
