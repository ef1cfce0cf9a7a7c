# SPDX-License-Identifier: Apache-2.0
"""Virtual machines: what is told to QEMU and ip, when one runs, and when it may run on KVM."""

from __future__ import annotations

import itertools
import json

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import names, traces, vm
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.lab.lab_machine import GROUP, machine

SPEC = {
    "name": "one",
    "nics": {"eth0": "hf-mgmt", "eth1": "hf-storage"},
    "memory": "2G",
    "cpus": 3,
    "layers": ["/cache/layers/kernel-1", "/cache/layers/base-1"],
}
KERNEL = SPEC["layers"][0]
FILES = {"/dev/kvm": "", "/proc/sys/kernel/random/boot_id": "b1"}


def values(command: list[str], option: str) -> list[str]:
    return [value for word, value in itertools.pairwise(command) if word == option]


def test_a_host_runs_when_qemu_does() -> None:
    io = machine(**{"/proc/7/comm": "sh\n", "/proc/8/comm": "qemu-system-x86\n"})
    io.processes(GROUP, 7)
    assert not vm.alive(io, GROUP)
    io.processes(GROUP, 7, 8)
    assert vm.alive(io, GROUP)


def test_the_machine_is_what_the_inventory_says() -> None:
    command = vm.machine(SPEC, "/s/root.img", {"a": "/s/a.img", "b": "/s/b,c.img"}, ["-accel", "kvm"])
    assert values(command, "-smp") + values(command, "-m") == ["3", "2G"]
    assert values(command, "-kernel") == [f"{KERNEL}/boot/vmlinuz"]
    root, *disks = values(command, "-drive")
    assert "cache=unsafe" in root
    assert [drive.partition("file=")[2] for drive in disks] == ["/s/a.img", "/s/b,,c.img"]
    assert not any("cache=" in drive for drive in disks), "a sync of a disk reaches it"
    devices = values(command, "-device")
    assert [device.rpartition("serial=")[2] for device in devices if "virtio-blk" in device] == ["a", "b"]
    assert [device.split(",")[2] for device in devices if "virtio-net" in device] == [
        f"mac={vm.mac('one', nic)}" for nic in SPEC["nics"]
    ]
    assert all("speed=" in device for device in devices if "virtio-net" in device), "LACP takes no NIC without one"


def test_each_nic_is_a_tap_in_its_switch() -> None:
    lines = vm.cables("one", SPEC["nics"]).splitlines()
    ends = [names.link("one", nic) for nic in SPEC["nics"]]
    assert [line.split()[3] for line in lines if line.startswith("tuntap")] == ends
    assert [line.split()[-2] for line in lines if "master" in line] == ["hf-mgmt", "hf-storage"]
    assert [line.split()[2] for line in lines if line.endswith("mtu 9216")] == ends


def test_hardware_addresses_are_ours_and_differ() -> None:
    addresses = {vm.mac(host, nic) for host in ("one", "two") for nic in ("eth0", "eth1")}
    assert len(addresses) == 4
    assert all(int(address[:2], 16) & 3 == 2 for address in addresses), "locally administered, of one interface"


@pytest.mark.parametrize(("said", "chosen"), [("VFS: Unable to mount root fs on", "kvm"), ("BUG: cmpxchg", "tcg")])
def test_kvm_is_for_machines_on_which_the_kernel_boots(said: str, chosen: str) -> None:
    io = machine(**FILES)
    io.answers["timeout"] = said
    assert chosen in vm.accelerator(io, KERNEL)[1]
    io.answers["timeout"] = ""
    assert chosen in vm.accelerator(io, KERNEL)[1], "it is asked once"
    assert len(io.ran) == 1
    assert set(json.loads(io.files["/cache/kvm.json"])) == {"asked", "works"}
    io.files["/proc/sys/kernel/random/boot_id"] = "b2"
    assert "tcg" in vm.accelerator(io, KERNEL)[1], "and again when the machine was restarted"


def test_without_kvm_nothing_is_tried() -> None:
    io = machine()
    assert "tcg" in vm.accelerator(io, KERNEL)[1]
    assert io.ran == []


def test_the_power_button_is_pressed_until_the_machine_feels_it(monkeypatch: pytest.MonkeyPatch) -> None:
    io = machine(**{f"{GROUP}/cgroup.procs": ""})
    answers = iter([False, False, True])
    monkeypatch.setattr(traces, "wait", lambda done, seconds: next(answers, True))
    vm.shutdown(io, ["one"])
    assert io.asked == [(vm.monitor("one"), "system_powerdown")] * 3
    vm.shutdown(io, [])
    assert len(io.asked) == 3
