#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Accept the flows of a host's bridges, count them, and drop everything else there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall
short_description: Accept the flows of a host's bridges, count them, and drop everything else there
version_added: "1.0.0"
description:
  - Keeps one nftables table, C(inet holdfast). Other tables and other interfaces are left alone.
  - Each flow is accepted on its own bridge and from its own peers, and counted by the counter of its name, in both
    directions. C(other_NETWORK) counts answers to what the host asks beyond the flows, C(dropped_NETWORK) what was
    refused.
  - The rules are replaced at once, counters keep their values, and a unit loads them again before the network starts.
  - Unless the change is confirmed over a new connection within O(rollback_seconds), the host goes back to the rules
    that it had. The action of the same name confirms.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
attributes:
  diff_mode:
    description: The diff shows the rules, also those that were changed by hand.
    support: full
  idempotence:
    description: A second run finds nothing to do.
    support: full
options:
  bridges:
    description: The bridges that it guards.
    type: list
    elements: dict
    required: true
    suboptions:
      bridge:
        description: Name of the bridge.
        type: str
        required: true
      network:
        description: Name of its network, which names its counters.
        type: str
        required: true
      addresses:
        description: The host's own addresses there.
        type: list
        elements: str
        required: true
      sources:
        description: Networks that may be the source of a packet there, in CIDR form. Empty means every one.
        type: list
        elements: str
        default: []
  flows:
    description: The host's side of each flow.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Name of the flow and of its counter.
        type: str
        required: true
      bridge:
        description: The bridge on which it is accepted.
        type: str
        required: true
      role:
        description: Whether the host answers or asks.
        type: str
        choices: [server, client]
        required: true
      protocol:
        description: Protocol of the flow, where V(icmp) is echo, and V(vrrp) tells who has an address that moves.
        type: str
        choices: [tcp, udp, icmp, vrrp]
        required: true
      ports:
        description: Ports of the server, each a number or a range such as V(6800-7299).
        type: list
        elements: str
        default: []
      address:
        description: The host's address at which the flow is accepted. Any by default.
        type: str
      peers:
        description: Addresses at the other end. Any when it is not given; an empty list is nobody.
        type: list
        elements: str
      users:
        description: >-
          Users of the host whose processes may ask, beside root. Connections of others are dropped, also to a server on
          the host itself. Anybody by default. One that the host does not have is left out.
        type: list
        elements: str
        default: []
  rollback_seconds:
    description: Time in seconds after which the host undoes a change that nobody has confirmed.
    type: int
    default: 45
  stage:
    description:
      - V(apply) starts the change, V(settle) sees it made, V(confirm) keeps it.
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
- name: Accept SSH and the object server, and nothing else
  holdfast.storage.firewall:
    bridges:
      - {bridge: br-mgmt, network: mgmt, addresses: [172.29.236.21]}
      - {bridge: br-storage, network: storage, addresses: [172.29.244.21], sources: [172.29.244.0/22]}
    flows:
      - {id: ssh, bridge: br-mgmt, role: server, protocol: tcp, ports: [22]}
      - id: swift_object
        bridge: br-storage
        role: server
        protocol: tcp
        ports: [6200]
        address: 172.29.244.21
        peers: [172.29.244.11, 172.29.244.22, 172.29.244.23]
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["update /etc/holdfast/firewall.nft", "load table inet holdfast"]
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.networks.kinds import firewall
from ansible_collections.holdfast.storage.plugins.module_utils.host import guarded


def main() -> None:
    bridge = {
        "bridge": {"type": "str", "required": True},
        "network": {"type": "str", "required": True},
        "addresses": {"type": "list", "elements": "str", "required": True},
        "sources": {"type": "list", "elements": "str", "default": []},
    }
    flow = {
        "id": {"type": "str", "required": True},
        "bridge": {"type": "str", "required": True},
        "role": {"type": "str", "choices": ["server", "client"], "required": True},
        "protocol": {"type": "str", "choices": ["tcp", "udp", "icmp", "vrrp"], "required": True},
        "ports": {"type": "list", "elements": "str", "default": []},
        "address": {"type": "str"},
        "peers": {"type": "list", "elements": "str"},
        "users": {"type": "list", "elements": "str", "default": []},
    }
    guarded.run(
        firewall,
        {
            "bridges": {"type": "list", "elements": "dict", "required": True, "options": bridge},
            "flows": {"type": "list", "elements": "dict", "required": True, "options": flow},
            "rollback_seconds": {"type": "int", "default": 45},
        },
    )


if __name__ == "__main__":
    main()
