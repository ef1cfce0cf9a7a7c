# SPDX-License-Identifier: Apache-2.0
"""What hosts have left on the machine is recognised by name."""

from __future__ import annotations

import json

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import names, owner, traces
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.lab.lab_machine import MOUNTS, machine


def test_both_hierarchies_are_used_where_control_groups_are_of_version_1() -> None:
    assert owner.hierarchies(MOUNTS) == ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"]
    assert owner.hierarchies("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n") == ["/sys/fs/cgroup"]
    assert owner.hierarchies("proc /proc proc rw 0 0\n") == []


def test_nothing_is_found_on_a_machine_without_a_lab() -> None:
    assert traces.find(machine(**{"/run/netns/other": ""})) == {}


def test_traces_are_found_by_name_alone() -> None:
    io = machine(
        **{
            "/sys/fs/cgroup/unified/holdfast-lab/one/cgroup.procs": "",
            "/sys/fs/cgroup/unified/holdfast-lab/cgroup.procs": "",
            "/run/netns/holdfast-two": "",
            "/run/netns/other": "",
            "/run/holdfast-lab/hosts/three/host.json": "{}",
        }
    )
    io.answers["ip"] = json.dumps(
        [{"ifname": "hv-1", "ifalias": "holdfast-lab four eth0"}, {"ifname": "hf-mgmt", "ifalias": "holdfast-lab"}]
    )
    files = [
        "/x/.lab/disks/five/holdfast-lab-a.img",
        "/x/.lab/disks/six/holdfast-lab-a.img (deleted)",
        "/x/a.img",
        None,
        "/x/.lab/disks/elsewhere/holdfast-lab-a.img",
    ]
    io.files |= {"/dev/loop0": "", "/dev/loop1": "", "/dev/loop2": ""}
    loops = [{"name": f"/dev/loop{number}", "back-file": file} for number, file in enumerate(files)]
    io.answers["losetup"] = json.dumps({"loopdevices": loops})
    assert traces.find(io) == {
        "one": ["control group /sys/fs/cgroup/unified/holdfast-lab/one"],
        "two": ["network namespace holdfast-two"],
        "three": ["/run/holdfast-lab/hosts/three"],
        "four": ["link hv-1"],
        "five": ["loop device /dev/loop0"],
        "six": ["loop device /dev/loop1"],
    }


def test_units_of_systemd_are_found_too() -> None:
    path = f"/sys/fs/cgroup/unified/{names.SLICE}/{names.unit('one')}"
    assert set(traces.find(machine(**{f"{path}/cgroup.procs": ""}))) == {"one"}
