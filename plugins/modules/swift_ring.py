#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Make and change Swift's rings where their true builder is."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swift_ring
short_description: Make and change Swift rings by a plan that shows what moves
version_added: "1.0.0"
description:
  - Makes the rings that are asked for, or changes them to what is asked for, and writes builder and ring files.
  - It plans in memory. Nothing is written before the whole plan is allowed, and nothing at all in check mode.
  - A device keeps its number, and so its data, when its address changes. It leaves a ring only when O(remove) names it.
  - Refused are a device that is in a builder and not in O(rings), another part power, fewer replicas, other fragments
    of an erasure-coded policy, a ring whose builder is lost or older than the ring, builders that differ without one
    coming from the other, a change that moves more than O(move_limit_percent), and one for which fewer than half of
    O(hosts) answered. A new ring is refused while one of them did not, or while disks that were prepared before are not
    mounted.
  - What min_part_hours holds back is written down in the builder. The first run after that time does the rest, and runs
    until then change nothing.
  - The module works on the rings of its own host. Its action, which Ansible calls in its place, tells it what the
    other hosts in O(hosts) answered to the probe, and leaves the files for M(holdfast.storage.swift_ring_copy).
options:
  rings:
    description: The rings.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: C(account), C(container), C(object), or C(object-N) for storage policy N.
        type: str
        required: true
      part_power:
        description: Two to this power is the number of partitions. It cannot be changed.
        type: int
        required: true
      replicas:
        description: Copies of each partition, or fragments of an erasure-coded policy.
        type: float
        required: true
      min_part_hours:
        description: Hours before a partition may move again.
        type: int
        default: 1
      erasure_coded:
        description: Whether the ring belongs to an erasure-coded policy.
        type: bool
        default: false
      devices:
        description: The devices.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: The device for ever, C(host/device). Kept in the builder's field meta.
            type: str
            required: true
          device:
            description: Name of the directory where it is mounted.
            type: str
            required: true
          region:
            description: Region.
            type: int
            default: 1
          zone:
            description: Zone. That of the host's other devices when it is not given, or a new one.
            type: int
          ip:
            description: Address of the server.
            type: str
            required: true
          port:
            description: Port of the server.
            type: int
            required: true
          replication_ip:
            description: Address of the replication server.
            type: str
            required: true
          replication_port:
            description: Port of the replication server.
            type: int
            required: true
          weight:
            description: Share of the partitions in proportion to the other devices. 0 empties the device.
            type: float
            default: 100
  remove:
    description: Names of devices (C(host/device)) that leave the rings.
    type: list
    elements: str
    default: []
  move_limit_percent:
    description: A change that moves a larger share of a ring's part-replicas is refused.
    type: float
    default: 20
  directory:
    description: Where the rings and builders are.
    type: path
    default: /etc/swift
  devices:
    description: Where the devices are mounted. Data found there forbids making its ring anew.
    type: path
    default: /srv/node
  host:
    description: Name of this host in O(hosts).
    type: str
    default: localhost
  hosts:
    description: All hosts that have the rings, the one that makes new rings first. This host alone by default.
    type: list
    elements: str
  peers:
    description: What the probe found on the other hosts. Given by the action.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Plans and writes nothing.
    support: full
  diff_mode:
    description: The plan, with the share that moves.
    support: full
author:
  - Holdfast contributors (@holdfast)
seealso:
  - module: holdfast.storage.swift_ring_copy
"""

EXAMPLES = r"""
- name: The ring of accounts on a Swift of one host
  holdfast.storage.swift_ring:
    rings:
      - name: account
        part_power: 10
        replicas: 1
        devices:
          - name: one/d1
            device: d1
            zone: 1
            ip: 192.0.2.1
            port: 6202
            replication_ip: 198.51.100.1
            replication_port: 6212

- name: Let a disk go
  holdfast.storage.swift_ring:
    rings: "{{ my_rings }}"
    remove: [storage3/d2]
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode.
  type: list
  elements: str
  returned: success
  sample: [update object, publish object]
findings:
  description: What was refused and why when the module fails; otherwise advice, such as partitions that wait.
  type: list
  elements: dict
  returned: always
published:
  description: Builder and ring files that other hosts need. The action keeps them and leaves this out.
  type: list
  elements: dict
  returned: when the module is called without its action
"""

import contextlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.holdfast.storage.plugins.module_utils.core.change import Plan
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.host_io import IO
from ansible_collections.holdfast.storage.plugins.module_utils.core.swift.kinds import (
    swift_ring,
    swift_ring_copy,
)
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Host

DEVICE = {
    "name": {"type": "str", "required": True},
    "device": {"type": "str", "required": True},
    "region": {"type": "int", "default": 1},
    "zone": {"type": "int"},
    "ip": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "replication_ip": {"type": "str", "required": True},
    "replication_port": {"type": "int", "required": True},
    "weight": {"type": "float", "default": 100},
}
RING = {
    "name": {"type": "str", "required": True},
    "part_power": {"type": "int", "required": True},
    "replicas": {"type": "float", "required": True},
    "min_part_hours": {"type": "int", "default": 1},
    "erasure_coded": {"type": "bool", "default": False},
    "devices": {"type": "list", "elements": "dict", "required": True, "options": DEVICE},
}
OPTIONS = {
    "rings": {"type": "list", "elements": "dict", "required": True, "options": RING},
    "remove": {"type": "list", "elements": "str", "default": []},
    "move_limit_percent": {"type": "float", "default": 20},
    "directory": {"type": "path", "default": swift_ring.DIRECTORY},
    "devices": {"type": "path", "default": swift_ring.DEVICES},
    "host": {"type": "str", "default": "localhost"},
    "hosts": {"type": "list", "elements": "str"},
    "peers": {"type": "dict", "default": {}},
}


def main() -> None:
    """Read, plan, apply unless check mode, read again and verify, and hand out what other hosts need."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    io = Host()
    wanted = {**module.params, "hosts": module.params["hosts"] or [module.params["host"]]}
    published = []
    try:
        with contextlib.nullcontext() if module.check_mode else io.alone():
            plan = _planned(io, wanted)
            if plan.errors:
                raise HoldfastError("Refused, nothing was changed. " + " ".join(map(str, plan.errors)), plan.errors)
            if plan and not module.check_mode:
                swift_ring.apply(io, plan)
                left = [line for line in _planned(io, wanted).summary() if not line.startswith("publish")]
                if left:
                    raise HoldfastError(f"Applied, but the rings still differ: {', '.join(left)}.")
                names = [change.subject for change in plan if change.action == "publish"]
                published = [swift_ring_copy.packed(io, wanted["directory"], name) for name in names]
    except HoldfastError as error:
        module.fail_json(**error.as_result())
    findings = [finding.as_dict() for finding in plan.findings]
    result = {"actions": plan.summary(), "diff": plan.diff(), "findings": findings, "published": published}
    module.exit_json(changed=bool(plan), **result)


def _planned(io: IO, wanted: dict[str, Any]) -> Plan:
    own = swift_ring.read(io, swift_ring.question(wanted))
    states = {**wanted["peers"], wanted["host"]: own}
    return swift_ring.plan({"host": wanted["host"], "states": states}, wanted)


if __name__ == "__main__":
    main()
