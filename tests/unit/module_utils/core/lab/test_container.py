# SPDX-License-Identifier: Apache-2.0
"""Containers: what is told to nspawn, ip and tmpfiles, and when one runs."""

from __future__ import annotations

import subprocess

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import container
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.lab.lab_machine import GROUP, machine


def test_a_host_runs_when_both_its_halves_do() -> None:
    io = machine()
    io.processes(f"{GROUP}/supervisor", 10)
    assert not container.alive(io, GROUP)
    io.processes(f"{GROUP}/payload", 20, 21)
    assert container.alive(io, GROUP)


def test_each_nic_is_plugged_into_its_switch() -> None:
    lines = container.cables("one", {"eth0": "hf-mgmt", "eth1": "hf-storage"}).splitlines()
    assert [line.split()[-2] for line in lines if "master" in line] == ["hf-mgmt", "hf-storage"]
    assert [line.split()[-3] for line in lines if "peer" in line] == ["eth0", "eth1"]


def test_disks_have_stable_names() -> None:
    assert container.stable_names({"b": "/dev/loop7", "a": "/dev/loop12"}) == (
        "L+ /dev/disk/by-id/holdfast-a - - - - ../../loop12\nL+ /dev/disk/by-id/holdfast-b - - - - ../../loop7\n"
    )


def test_scripts_are_shell_with_and_without_systemd() -> None:
    alone = container.script("one", ["/l/a", "/l/b"], ["/dev/loop3"], False)
    unit = container.script("one", ["/l/a", "/l/b"], ["/dev/loop3"], True)
    for text in (alone, unit):
        assert subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False).stderr == ""
        assert "--bind=/dev/loop3" in text
        assert "lowerdir=/l/a:/l/b," in text
    assert "[ $status = 133 ]" in alone
    assert "exec systemd-nspawn" in unit
