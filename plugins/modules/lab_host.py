#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Have hosts of the lab run, stop or go."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_host
short_description: Have hosts of the lab run, stop or go
version_added: "1.0.0"
description:
  - A host is a systemd-nspawn container with loop devices for disks, or a virtual machine of QEMU with a kernel of its
    own and virtio disks. All of the list boot at once, and the module waits until each answers by SSH with its own key.
  - A virtual machine runs on KVM where the kernel of the image boots on it, and is emulated elsewhere.
  - A host's disks stand under C(/dev/disk/by-id/holdfast-DISK), whatever device they are.
  - The private key for root on all hosts is C(ssh/id_ed25519) in the state directory, the hosts' keys are in
    C(ssh/known_hosts), what C(ssh -F) needs in C(ssh/config), consoles in C(log).
  - QEMU's monitor (QMP) of a virtual machine is C(/run/holdfast-lab/hosts/NAME/monitor).
  - It comes up over the remains of a lab that died, and removes everything that carries a lab's name.
  - M(holdfast.storage.lab_image) and M(holdfast.storage.lab_network) come first.
author:
  - Holdfast contributors (@holdfast)
requirements:
  - systemd-nspawn, for containers
  - qemu-system-x86 and e2fsprogs, for virtual machines
  - iproute2
  - paramiko (Python library)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  state_dir:
    description: Absolute path of the lab's state directory.
    type: path
    required: true
  hosts:
    description: The hosts.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      kind:
        description: What it runs as. A host that is to run as something else is made anew.
        type: str
        choices: [container, vm]
        default: container
      memory:
        description: Memory of a virtual machine, as QEMU takes it.
        type: str
        default: 2G
      cpus:
        description: Processors of a virtual machine.
        type: int
        default: 1
      address:
        description: Its management address with prefix length, on its first NIC when it boots for the first time.
        type: str
        required: true
      gateway:
        description: Its default route when it boots for the first time.
        type: str
        default: ""
      nics:
        description: Its NICs in order, each with the switch it is plugged into.
        type: dict
        required: true
      disks:
        description: Its disks, each with its size as truncate(1) takes it.
        type: dict
        default: {}
      devices:
        description: Devices of the machine that a container has too, such as C(/dev/net/tun).
        type: list
        elements: path
        default: []
      layers:
        description: Directories that make its root, topmost first, as M(holdfast.storage.lab_image) returns them.
        type: list
        elements: path
        required: true
  state:
    description:
      - V(running) starts what is not running, and restarts a host whose NICs, disks, memory or processors are others
        now.
      - V(stopped) powers off, and keeps roots and disks.
      - V(restarted) powers off and starts.
      - V(cut) cuts the power, and V(cycled) cuts it and starts. Roots and disks stay as they are at that moment.
      - V(reset) makes them anew, with empty disks.
      - V(absent) removes them.
    type: str
    choices: [running, stopped, restarted, cut, cycled, reset, absent]
    default: running
  since:
    description:
      - For V(restarted), V(cycled) and V(reset), a time in seconds since the epoch. What was started, or made, after it
        is left alone.
      - Left out, it is now.
    type: float
  exclusive:
    description: Whether hosts that are not in O(hosts) are removed, with the remains of dead labs.
    type: bool
    default: false
  timeout:
    description: Seconds within which a container has to answer by SSH. A virtual machine has five times as long.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Have two hosts
  holdfast.storage.lab_host:
    state_dir: /srv/holdfast/.lab
    hosts:
      - name: control1
        address: 172.29.236.11/22
        gateway: 172.29.236.1
        nics: {eth0: hf-mgmt, eth1: hf-storage}
        layers: "{{ image.layers.packages }}"
      - name: storage1
        address: 172.29.236.21/22
        gateway: 172.29.236.1
        nics: {eth0: hf-mgmt, eth1: hf-storage, eth2: hf-repl}
        disks: {swift1: 2G, swift2: 2G}
        layers: "{{ image.layers.packages }}"
      - name: compute1
        kind: vm
        memory: 2G
        address: 172.29.236.31/22
        gateway: 172.29.236.1
        nics: {eth0: hf-mgmt, eth1: hf-storage, eth2: hf-storage}
        layers: "{{ image.layers.kernel + image.layers.packages }}"
  become: true

- name: Take all hosts away
  holdfast.storage.lab_host:
    state_dir: /srv/holdfast/.lab
    state: absent
    exclusive: true
  become: true
"""

RETURN = r"""
actions:
  description: What was done, or would be.
  returned: success
  type: list
  elements: str
  sample: [create control1, start storage1]
findings:
  description: Why it was refused.
  returned: failure
  type: list
  elements: dict
"""

import time

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import host
from ansible_collections.holdfast.storage.plugins.module_utils.host.lab import LabMachine, machine_lock
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run_on

OPTIONS = {
    "state_dir": {"type": "path", "required": True},
    "hosts": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": list(host.DRIVERS), "default": "container"},
            "memory": {"type": "str", "default": "2G"},
            "cpus": {"type": "int", "default": 1},
            "address": {"type": "str", "required": True},
            "gateway": {"type": "str", "default": ""},
            "nics": {"type": "dict", "required": True},
            "disks": {"type": "dict", "default": {}},
            "devices": {"type": "list", "elements": "path", "default": []},
            "layers": {"type": "list", "elements": "path", "required": True},
        },
    },
    "state": {
        "type": "str",
        "choices": ["running", "stopped", "restarted", "cut", "cycled", "reset", "absent"],
        "default": "running",
    },
    "since": {"type": "float"},
    "exclusive": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 120},
}


def main() -> None:
    options = {**OPTIONS, "since": {"type": "float", "default": time.time()}}
    with machine_lock():
        run_on(LabMachine(), host, options)


if __name__ == "__main__":
    main()
