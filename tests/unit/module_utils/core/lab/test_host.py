# SPDX-License-Identifier: Apache-2.0
"""Hosts: what each wanted state means for each host that stands, is dead, or is not there."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import host

SPEC = {
    "name": "one",
    "kind": "container",
    "memory": "2G",
    "cpus": 2,
    "address": "172.29.236.11/22",
    "gateway": "172.29.236.1",
    "nics": {"eth0": "hf-mgmt"},
    "disks": {"swift1": "2G"},
    "devices": [],
    "layers": ["/new", "/base"],
}
RUNNING = {
    "running": True,
    "traces": ["control group /x"],
    "stored": ["/s/.lab/hosts/one"],
    "whole": True,
    "created": 100.0,
    "kind": "container",
    "started": 200.0,
    "layers": ["/old", "/base"],
    "shape": host.shape(SPEC),
}
DEAD = {**RUNNING, "running": False}
STOPPED = {**DEAD, "traces": []}
REMAINS = {**DEAD, "stored": [], "whole": False, "layers": [], "created": 0.0}
OWNER = {"state_dir": "/s/.lab", "user": "u", "since": "s", "processes": 5}


def plan(current: dict[str, Any] | None, state: str, **wanted: Any) -> Any:
    hosts = {} if current is None else {"one": current}
    options = {
        "state_dir": "/s/.lab", "hosts": [SPEC], "state": state, "since": 300.0, "exclusive": False, "timeout": 9,
        **wanted,
    }  # fmt: skip
    machine = {
        "root": True, "owner": OWNER, "kinds": ["container", "vm"], "devices": ["/dev/net/tun"],
        "storage": "/s/.lab/hosts", "hosts": hosts,
    }  # fmt: skip
    return host.plan(machine, options)


@pytest.mark.parametrize(
    ("current", "state", "action"),
    [
        (None, "running", "create"),
        (RUNNING, "running", None),
        (DEAD, "running", "start"),
        (STOPPED, "running", "start"),
        (REMAINS, "running", "reset"),
        ({**DEAD, "whole": False}, "running", "reset"),
        ({**RUNNING, "shape": "other"}, "running", "restart"),
        ({**RUNNING, "kind": "vm"}, "running", "reset"),
        ({**STOPPED, "kind": "vm"}, "running", "reset"),
        (None, "restarted", "create"),
        (RUNNING, "restarted", "restart"),
        ({**RUNNING, "started": 301.0}, "restarted", None),
        (STOPPED, "restarted", "start"),
        (RUNNING, "cycled", "cycle"),
        ({**RUNNING, "started": 301.0}, "cycled", None),
        (STOPPED, "cycled", "start"),
        (RUNNING, "cut", "cut"),
        (DEAD, "cut", "cut"),
        (STOPPED, "cut", None),
        (None, "reset", "create"),
        (RUNNING, "reset", "reset"),
        (STOPPED, "reset", "reset"),
        ({**RUNNING, "created": 301.0}, "reset", None),
        (None, "stopped", None),
        (RUNNING, "stopped", "stop"),
        (DEAD, "stopped", "stop"),
        (STOPPED, "stopped", None),
        (None, "absent", None),
        (RUNNING, "absent", "remove"),
        (STOPPED, "absent", "remove"),
        (REMAINS, "absent", "remove"),
    ],
)
def test_actions(current: dict[str, Any] | None, state: str, action: str | None) -> None:
    assert [change.action for change in plan(current, state)] == ([action] if action else [])


def test_a_host_keeps_the_image_that_it_was_made_from() -> None:
    (change,) = plan(DEAD, "running")
    assert change.data["spec"]["layers"] == ["/old", "/base"]
    (change,) = plan({**DEAD, "whole": False}, "running")
    assert change.data["spec"]["layers"] == ["/new", "/base"]


def test_hosts_that_are_not_listed_stay_unless_the_list_is_exclusive() -> None:
    assert not plan(RUNNING, "running", hosts=[])
    assert plan(RUNNING, "running", hosts=[], exclusive=True).summary() == ["remove one"]
    assert plan(REMAINS, "absent", hosts=[], exclusive=True).summary() == ["remove one"]


def test_the_diff_shows_what_goes_and_what_comes() -> None:
    (change,) = plan(None, "running")
    assert change.before == ""
    assert "eth0 in hf-mgmt" in change.after
    assert "disk holdfast-swift1 2G" in change.after
    (change,) = plan(RUNNING, "absent")
    assert change.after == ""
    assert "/s/.lab/hosts/one" in change.before


def test_every_action_has_steps_that_exist() -> None:
    assert {step for steps in host.STEPS.values() for step in steps} == set(host._TAKE)


def test_power_is_cut_without_a_word() -> None:
    assert host.STEPS["cut"] == ("clear",)
    assert host.STEPS["cycle"] == ("clear", "start")


@pytest.mark.parametrize("kind", host.DRIVERS)
def test_a_driver_is_whole(kind: str) -> None:
    driver = host.DRIVERS[kind]
    assert all(callable(getattr(driver, name)) for name in ("alive", "prepare", "start", "shutdown"))
    assert driver.PROGRAM.startswith("/usr/bin/")
    assert driver.PATIENCE >= 1


def test_a_kind_that_the_machine_can_not_run_is_refused() -> None:
    vm = {**SPEC, "kind": "vm"}
    options = {"state_dir": "/s/.lab", "hosts": [vm], "since": 300.0, "exclusive": False, "timeout": 9}
    machine = {"root": True, "owner": OWNER, "kinds": ["container"], "devices": [], "storage": "/s", "hosts": {}}
    refused = host.plan(machine, {**options, "state": "running"})
    assert [(finding.code, finding.where) for finding in refused.errors] == [("lab.kind", "one: lab_kind")]
    machine["hosts"] = {"one": {**RUNNING, "kind": "vm"}}
    assert not host.plan(machine, {**options, "state": "absent"}).errors, "what can not run can be removed"


def test_a_disk_of_a_virtual_machine_has_a_name_that_fits_a_serial_number() -> None:
    vm = {**SPEC, "kind": "vm", "disks": {"d" * 20: "1G", "e" * 21: "1G"}}
    (finding,) = plan(None, "running", hosts=[vm]).errors
    assert (finding.code, finding.where) == ("lab.disk_name", "one: lab_disks")
    assert finding.what.startswith("e" * 21 + ":")


def test_a_device_that_the_machine_lacks_is_refused_for_a_container() -> None:
    asked = {**SPEC, "devices": ["/dev/net/tun", "/dev/vhost-net"]}
    (finding,) = plan(None, "running", hosts=[asked]).errors
    assert (finding.code, finding.where) == ("lab.device", "one: lab_devices")
    assert "no /dev/vhost-net" in finding.what
    assert not plan(None, "running", hosts=[{**asked, "kind": "vm"}]).errors
    assert host.question({"state_dir": "/s", "hosts": [asked, SPEC]})["devices"] == ["/dev/net/tun", "/dev/vhost-net"]


def test_another_living_lab_is_not_touched() -> None:
    machine = {"root": True, "owner": {**OWNER, "state_dir": "/t/.lab"}, "storage": "/s", "hosts": {"one": RUNNING}}
    options = {"state_dir": "/s/.lab", "hosts": [], "state": "absent", "exclusive": True, "since": 0.0, "timeout": 9}
    assert [finding.code for finding in host.plan(machine, options).errors] == ["lab.owned"]


def test_shape_is_what_a_host_can_not_change_while_it_runs() -> None:
    assert host.shape({**SPEC, "layers": [], "address": "x"}) == host.shape(SPEC)
    assert host.shape({**SPEC, "disks": {}}) != host.shape(SPEC)
    assert host.shape({**SPEC, "memory": "3G"}) != host.shape(SPEC)
    assert host.shape({**SPEC, "devices": ["/dev/net/tun"]}) != host.shape(SPEC)
    assert host.shape({**SPEC, "nics": {"eth0": "hf-mgmt", "eth1": "hf-mgmt"}}) != host.shape(SPEC)


def test_roots_are_kept_where_overlayfs_can_write() -> None:
    assert host.storage_directory("/s/.lab", "ext2/ext3") == "/s/.lab/hosts"
    elsewhere = host.storage_directory("/s/.lab", "overlayfs")
    assert elsewhere.startswith("/var/lib/holdfast-lab/")
    assert host.storage_directory("/t/.lab", "overlayfs") != elsewhere


def test_known_hosts_lines_are_replaced_by_name() -> None:
    text = host.known_hosts("one,10.0.0.1 ssh-ed25519 A\none1,10.0.0.2 ssh-ed25519 B\n", "one", "one,10.0.0.1 k C")
    assert text == "one,10.0.0.1 k C\none1,10.0.0.2 ssh-ed25519 B\n"
    assert host.known_hosts(text, "one", None) == "one1,10.0.0.2 ssh-ed25519 B\n"


def test_ssh_reaches_each_host_by_name_and_trusts_only_its_key() -> None:
    text = host.ssh_config("one,10.0.0.1 ssh-ed25519 A\n", "/a b/ssh")
    assert "Host one\n    HostName 10.0.0.1\n" in text
    assert '    UserKnownHostsFile "/a b/ssh/known_hosts"\n    StrictHostKeyChecking yes\n' in text
