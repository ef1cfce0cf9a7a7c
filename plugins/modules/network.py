#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Make the bridges of a host, and have the host undo a change that cuts it off."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network
short_description: Make the bridges of a host, undone by the host itself when they cut it off
version_added: "1.0.0"
description:
  - Makes bridges with systemd-networkd, each on a network interface, a VLAN or a bond, with MTU, addresses and routes.
  - What stands is judged by the files of systemd-networkd and by the kernel, so a change made by hand is seen.
  - Before it changes anything the host keeps what it has. Unless the change is confirmed over a new connection within
    O(rollback_seconds), the host goes back to that by itself, also after a restart. The action of the same name
    confirms.
  - Files of others that configure the same interfaces stay where they are and lose their effect, as those of this
    module sort first. Stanzas of ifupdown for these interfaces are taken out. Both stand in the diff.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
attributes:
  diff_mode:
    description: The diff is the plan, files and state of the kernel, line by line.
    support: full
  idempotence:
    description: A second run finds nothing to do.
    support: full
options:
  bridges:
    description: Every bridge that the host should have. Those that this module made and that are missing here go.
    type: list
    elements: dict
    required: true
    suboptions:
      bridge:
        description: Name of the bridge.
        type: str
        required: true
      mtu:
        description: Largest packet in bytes. The port gets at least as much.
        type: int
        default: 1500
      addresses:
        description: IPv4 addresses with their prefix length. Other addresses on the bridge are left alone.
        type: list
        elements: str
        default: []
      gateway:
        description: Address of the default router.
        type: str
      dns:
        description: Addresses of name servers, for systemd-resolved where it runs.
        type: list
        elements: str
        default: []
      routes:
        description: Further routes.
        type: list
        elements: dict
        default: []
        suboptions:
          to:
            description: The network behind the router, in CIDR form.
            type: str
            required: true
          via:
            description: Address of the router.
            type: str
            required: true
      port:
        description: What carries the bridge, an interface or a bond, with or without a VLAN.
        type: dict
        required: true
        suboptions:
          interface:
            description: Name of a network interface.
            type: str
          bond:
            description: Several interfaces that act as one.
            type: dict
            suboptions:
              name:
                description: Name of the bond.
                type: str
                required: true
              mode:
                description: How it uses its interfaces.
                type: str
                default: active-backup
              interfaces:
                description: Its interfaces.
                type: list
                elements: str
                required: true
          vlan:
            description: VLAN id, when the bridge's traffic is tagged there.
            type: int
          mtu:
            description: MTU of the interface in bytes, when it must be larger than its bridges need.
            type: int
      switched:
        description:
          - Whether a switch such as Open vSwitch makes the bridge. Its port is brought up for it, and the bridge gets
            its addresses as soon as it is there.
        type: bool
        default: false
  ports:
    description: Links that a switch takes for something else. They are brought up, without addresses.
    type: list
    elements: dict
    default: []
    suboptions:
      interface:
        description: Name of a network interface or of a bond.
        type: str
        required: true
      vlan:
        description: VLAN id, when the switch takes a tagged network of the interface.
        type: int
      mtu:
        description: Largest packet in bytes.
        type: int
        default: 1500
  rollback_seconds:
    description: Time in seconds after which the host undoes a change that nobody has confirmed.
    type: int
    default: 45
  stage:
    description:
      - V(apply) starts the change, V(settle) waits until it is made, V(confirm) keeps it.
      - The action sets it. Leave it alone in a task.
    type: str
    choices: [apply, settle, confirm]
    default: apply
  change:
    description: Identity of the change, the time in nanoseconds when its run came to it. The action sets it.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Make the bridges of a storage host
  holdfast.storage.network:
    bridges:
      - bridge: br-mgmt
        addresses: [172.29.236.21/22]
        gateway: 172.29.236.1
        port: {interface: eth0}
      - bridge: br-storage
        mtu: 9000
        addresses: [172.29.244.21/22]
        port: {interface: eth1, vlan: 244}
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["create /etc/systemd/network/00-holdfast-br-mgmt.netdev", "create br-mgmt"]
findings:
  description: What was refused and why, when the module fails for that.
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.networks.kinds import network
from ansible_collections.holdfast.storage.plugins.module_utils.host import guarded


def main() -> None:
    route = {"to": {"type": "str", "required": True}, "via": {"type": "str", "required": True}}
    bond = {
        "name": {"type": "str", "required": True},
        "mode": {"type": "str", "default": "active-backup"},
        "interfaces": {"type": "list", "elements": "str", "required": True},
    }
    port = {
        "interface": {"type": "str"},
        "bond": {"type": "dict", "options": bond},
        "vlan": {"type": "int"},
        "mtu": {"type": "int"},
    }
    bridge = {
        "bridge": {"type": "str", "required": True},
        "mtu": {"type": "int", "default": 1500},
        "addresses": {"type": "list", "elements": "str", "default": []},
        "gateway": {"type": "str"},
        "dns": {"type": "list", "elements": "str", "default": []},
        "routes": {"type": "list", "elements": "dict", "default": [], "options": route},
        "port": {"type": "dict", "required": True, "options": port},
        "switched": {"type": "bool", "default": False},
    }
    taken = {
        "interface": {"type": "str", "required": True},
        "vlan": {"type": "int"},
        "mtu": {"type": "int", "default": 1500},
    }
    guarded.run(
        network,
        {
            "bridges": {"type": "list", "elements": "dict", "required": True, "options": bridge},
            "ports": {"type": "list", "elements": "dict", "default": [], "options": taken},
            "rollback_seconds": {"type": "int", "default": 45},
        },
    )


if __name__ == "__main__":
    main()
