# SPDX-License-Identifier: Apache-2.0
"""A hardened host: what it gets, what it gives back, and that nobody is cut off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.hardening import wants
from ansible_collections.holdfast.storage.plugins.module_utils.core.hardening.kinds import hardening
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

FILES = [hardening.SSHD, hardening.SYSCTL]


class FakeHost:
    """A host with an SSH server that has loaded a file, and settings."""

    def __init__(self) -> None:
        self.disk = {"/usr/sbin/sshd": "", "/etc/ssh/sshd_config": "PasswordAuthentication yes\n"}
        self.disk |= {f"/proc/sys/{name.replace('.', '/')}": "7\n" for name in wants.SYSCTL}
        self.refuses = ""
        self.armed: list[dict[str, Any]] = []
        self.reloads = 0

    def run(self, argv: list[str], *, check: bool = True, **_: Any) -> Result:
        if argv[0] == "/usr/sbin/sshd":
            refused = bool(self.refuses) and self.refuses in self.disk[argv[-1]]
            return Result(255 if refused else 0, "", "Bad configuration option" if refused else "")
        if argv[0] == "/usr/sbin/sysctl":
            name, _, value = argv[-1].partition("=")
            self.disk[f"/proc/sys/{name.replace('.', '/')}"] = f"{value}\n"
        self.reloads += "ssh.service" in argv
        return Result(0, "", "")

    def exists(self, path: str) -> bool:
        return path in self.disk

    def read_text(self, path: str) -> str | None:
        return self.disk.get(path)

    def write(self, path: str, content: str, **_: Any) -> None:
        self.disk[path] = content

    def remove(self, path: str) -> None:
        del self.disk[path]

    def make_directory(self, path: str, **_: Any) -> None:
        pass

    def arm(self, **given: Any) -> None:
        self.armed.append({**given, "before": dict(self.disk)})


def wanted(case: str = "metal", **variables: Any) -> dict[str, Any]:
    given = {"hardening_enabled": True, **variables}
    services = cases.deployed(cases.changed({"base": case, "set": {f"vars/{k}": v for k, v in given.items()}}))
    return wants.hardening(services.model, list(services.model.hosts.values())[-1], services, {})


def plan(host: FakeHost, value: dict[str, Any]) -> Any:
    return hardening.plan(json.loads(json.dumps(hardening.read(host, hardening.question(value)))), value)


def converge(host: FakeHost, value: dict[str, Any]) -> None:
    hardening.apply(host, plan(host, value), host.arm)
    assert not plan(host, value)


def test_a_host_takes_keys_only_and_its_settings_and_stays() -> None:
    host = FakeHost()
    converge(host, wanted())
    assert "PasswordAuthentication no\n" in host.disk[hardening.SSHD]
    assert "PermitRootLogin prohibit-password\n" in host.disk[hardening.SSHD]
    assert host.disk["/proc/sys/kernel/dmesg_restrict"] == "1\n"
    assert host.reloads == 1


def test_the_guard_is_armed_before_anything_is_written_and_knows_the_way_back() -> None:
    host = FakeHost()
    converge(host, wanted())
    (armed,) = host.armed
    assert armed["paths"] == FILES
    assert not set(FILES) & set(armed["before"])
    assert "/usr/sbin/sysctl --quiet --write kernel.dmesg_restrict='7'" in armed["undo"]
    assert armed["undo"][-1].endswith("try-reload-or-restart ssh.service")


def test_a_file_that_the_server_does_not_take_changes_nothing() -> None:
    host = FakeHost()
    host.refuses = "MaxAuthTries"
    with pytest.raises(HoldfastError, match=r"does not take .*00-holdfast.conf, nothing was changed: Bad config"):
        converge(host, wanted())
    assert host.armed == []
    assert not set(FILES) & set(host.disk)


def test_passwords_stay_where_they_are_wanted() -> None:
    host = FakeHost()
    converge(host, wanted(hardening_ssh_passwords=True))
    assert "PasswordAuthentication" not in host.disk[hardening.SSHD]
    assert "PermitRootLogin prohibit-password\n" in host.disk[hardening.SSHD]


def test_settings_of_the_site_go_over_ours_and_those_that_the_kernel_has_not_are_left_out() -> None:
    host = FakeHost()
    del host.disk["/proc/sys/kernel/yama/ptrace_scope"]
    converge(host, wanted(hardening_sysctl={"kernel.dmesg_restrict": 0, "vm.swappiness": 10}))
    assert host.disk["/proc/sys/kernel/dmesg_restrict"] == "0\n"
    assert "vm.swappiness = 10\n" in host.disk[hardening.SYSCTL]


def test_a_value_that_was_changed_by_hand_is_put_right() -> None:
    host = FakeHost()
    converge(host, wanted())
    host.disk["/proc/sys/net/ipv4/tcp_syncookies"] = "0\n"
    host.disk[hardening.SSHD] += "PasswordAuthentication yes\n"
    assert plan(host, wanted()).summary() == [f"update {hardening.SSHD}", "set net.ipv4.tcp_syncookies"]


def test_a_host_that_is_hardened_no_more_has_nothing_of_ours() -> None:
    host = FakeHost()
    assert not plan(host, wanted(hardening_enabled=False))
    converge(host, wanted())
    converge(host, wanted(hardening_enabled=False))
    assert not set(FILES) & set(host.disk)
    assert host.reloads == 2


def test_a_container_has_its_machines_kernel() -> None:
    assert wanted(case="lab")["sysctl"] == {}
    assert wanted(case="lab")["sshd"]


def test_a_change_that_was_never_confirmed_is_something_to_do() -> None:
    host = FakeHost()
    converge(host, wanted())
    host.disk["/var/lib/holdfast/guard/hardening/pending"] = ""
    assert plan(host, wanted()).summary() == ["undo hardening"]
