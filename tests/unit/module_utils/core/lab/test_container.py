# SPDX-License-Identifier: Apache-2.0
"""Containers: what is told to nspawn, ip and tmpfiles, and how their traces are recognised."""

from __future__ import annotations

import json
import subprocess
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import container, names, owner, specs

MOUNTS = """proc /proc proc rw 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
"""


class Machine:
    """A machine of files and answers to commands."""

    def __init__(self, files: dict[str, str], answers: dict[str, str]) -> None:
        self.files = files
        self.answers = answers

    def run(self, argv: list[str], **_: Any) -> Any:
        return SimpleNamespace(rc=0, out=self.answers.get(" ".join(argv), self.answers.get(argv[0], "")), err="")

    def read_text(self, path: str) -> str | None:
        return self.files.get(path)

    def exists(self, path: str) -> bool:
        return any(name == path or name.startswith(f"{path}/") for name in self.files)

    def listdir(self, path: str) -> list[str]:
        return sorted({name[len(path) + 1 :].split("/")[0] for name in self.files if name.startswith(f"{path}/")})


def machine(**files: str) -> Any:
    return Machine(
        {"/proc/mounts": MOUNTS, **files},
        {"ip": "[]", "losetup": json.dumps({"loopdevices": []})},
    )


def test_both_hierarchies_are_used_where_control_groups_are_of_version_1() -> None:
    assert owner.hierarchies(MOUNTS) == ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"]
    assert owner.hierarchies("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n") == ["/sys/fs/cgroup"]
    assert owner.hierarchies("proc /proc proc rw 0 0\n") == []


def test_nothing_is_found_on_a_machine_without_a_lab() -> None:
    assert container.find(machine(**{"/run/netns/other": ""})) == {}


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
    found = container.find(io)
    assert {name: host["traces"] for name, host in found.items()} == {
        "one": ["control group /sys/fs/cgroup/unified/holdfast-lab/one"],
        "two": ["network namespace holdfast-two"],
        "three": ["/run/holdfast-lab/hosts/three"],
        "four": ["link hv-1"],
        "five": ["loop device /dev/loop0"],
        "six": ["loop device /dev/loop1"],
    }
    assert not any(host["running"] for host in found.values())


def test_a_host_runs_when_both_its_halves_do() -> None:
    group = "/sys/fs/cgroup/unified/holdfast-lab/one"
    io = machine(**{f"{group}/cgroup.procs": ""})
    cat = "find {} -name cgroup.procs -exec cat {{}} +"
    io.answers[cat.format(f"{group}/supervisor")] = "10\n"
    assert not container.find(io)["one"]["running"]
    io.answers[cat.format(f"{group}/payload")] = "20\n21\n"
    assert container.find(io)["one"]["running"]


def test_units_of_systemd_are_found_too() -> None:
    path = f"/sys/fs/cgroup/unified/{names.SLICE}/{names.unit('one')}"
    assert set(container.find(machine(**{f"{path}/cgroup.procs": ""}))) == {"one"}


@given(st.text(min_size=1, max_size=63), st.sampled_from(["eth0", "eth1", "eth2"]))
def test_links_have_names_that_the_kernel_takes(host: str, nic: str) -> None:
    assert len(names.link(host, nic)) <= 15
    assert names.link(host, nic) == names.link(host, nic)


def test_each_nic_is_plugged_into_its_switch() -> None:
    lines = container.cables("one", {"eth0": "hf-mgmt", "eth1": "hf-storage"}).splitlines()
    assert [line.split()[-2] for line in lines if "master" in line] == ["hf-mgmt", "hf-storage"]
    assert [line.split()[-3] for line in lines if "peer" in line] == ["eth0", "eth1"]


def test_disks_have_stable_names() -> None:
    assert container.stable_names({"b": "/dev/loop7", "a": "/dev/loop12"}) == (
        "L+ /dev/disk/by-id/holdfast-a - - - - ../../loop12\nL+ /dev/disk/by-id/holdfast-b - - - - ../../loop7\n"
    )


def test_scripts_are_shell_with_and_without_systemd() -> None:
    alone = container.script("one", ["/l/a", "/l/b"], ["/dev/loop3"], ["/sys/fs/cgroup/x y"])
    unit = container.script("one", ["/l/a", "/l/b"], ["/dev/loop3"], [])
    for text in (alone, unit):
        assert subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False).stderr == ""
        assert "--bind=/dev/loop3" in text
        assert "lowerdir=/l/a:/l/b," in text
    assert "echo $$ > '/sys/fs/cgroup/x y'/cgroup.procs" in alone
    assert "[ $status = 133 ]" in alone
    assert "exec systemd-nspawn" in unit


def test_a_host_boots_as_a_provisioning_system_leaves_it() -> None:
    spec = {"name": "one", "address": "10.0.0.1/22", "gateway": "10.0.0.254", "nics": {"eth0": "a", "eth1": "b"}}
    keys = {"authorized": "pub", "private": "secret", "public": "own"}
    files = container.first_boot(spec, keys, "nameserver 10.0.0.53\n")
    network = files["/etc/systemd/network/80-provision.network"][1]
    assert "Name=eth0\n" in network
    assert "Address=10.0.0.1/22\nGateway=10.0.0.254\n" in network
    assert files["/etc/ssh/ssh_host_ed25519_key"] == ("0600", "secret")
    assert files["/root/.ssh/authorized_keys"] == ("0600", "pub")
    assert len(files["/etc/machine-id"][1].strip()) == 32
    assert "127.0.1.1" not in files["/etc/hosts"][1]


def test_hosts_do_not_ask_a_resolver_that_only_the_machine_reaches() -> None:
    io = machine(**{"/etc/resolv.conf": "# x\nsearch example\nnameserver 127.0.0.53\nnameserver 192.0.2.53\n"})
    assert container._resolvers(io) == "search example\nnameserver 192.0.2.53\n"


def test_a_hosts_variables_become_its_specification() -> None:
    variables = {
        "inventory_hostname": "one",
        "ansible_host": "172.29.236.11",
        "networks_bridges": {"mgmt": {"cidr": "172.29.236.0/22", "gateway": "172.29.236.1"}},
        "lab_nics": {"eth0": "hf-mgmt"},
        "lab_image_layer": "base",
    }
    (spec,) = specs.specs([variables], {"base": ["/a", "/b"], "packages": ["/p", "/a", "/b"]})
    assert spec == {
        "name": "one", "kind": "container", "address": "172.29.236.11/22", "gateway": "172.29.236.1",
        "nics": {"eth0": "hf-mgmt"}, "disks": {}, "layers": ["/a", "/b"],
    }  # fmt: skip


def test_packages_are_those_that_descriptions_name() -> None:
    descriptions = [
        {"components": [{"packages": ["b", "a"]}, {}]},
        {"components": [{"packages": ["a", "{{ x }}"]}]},
        {},
    ]
    assert specs.packages(descriptions) == ["a", "b"]
