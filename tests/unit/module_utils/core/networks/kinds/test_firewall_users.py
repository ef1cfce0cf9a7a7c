# SPDX-License-Identifier: Apache-2.0
"""Servers that trust addresses: which users of a host may ask them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.networks.kinds import firewall
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.networks.kinds.test_firewall import (
    FakeHost,
    Nft,
    Packet,
    plan,
    rules,
    wanted,
)

OBJECTS = [
    ("br-storage", "10.1.0.11", "10.1.0.21", 6200, "control1"),
    ("br-storage", "10.1.0.22", "10.1.0.21", 6201, "storage2"),
    ("br-storage", "10.1.0.22", "10.1.0.21", 6202, "storage2"),
    ("br-repl", "10.2.0.22", "10.2.0.21", 6210, "storage2"),
    ("br-repl", "10.2.0.22", "10.2.0.21", 6211, "storage2"),
    ("br-repl", "10.2.0.22", "10.2.0.21", 6212, "storage2"),
    ("br-repl", "10.2.0.22", "10.2.0.21", 873, "storage2"),
    ("lo", "10.1.0.21", "10.1.0.21", 6200, "storage1"),
    ("lo", "10.2.0.21", "10.2.0.21", 873, "storage1"),
]


@pytest.mark.parametrize(("interface", "source", "target", "port", "host"), OBJECTS)
def test_servers_that_trust_addresses_are_asked_by_their_own_users_only(
    interface: str, source: str, target: str, port: int, host: str
) -> None:
    guard = Nft(rules(host))
    question = Packet(interface, source, target, port, way="out")
    for user in ("root", "swift", None):
        assert guard.judge(replace(question, user=user)), user
    for user in ("nobody", "cinder", "glance"):
        assert not guard.judge(replace(question, user=user)), user
        assert guard.counted == ["dropped_repl" if target.startswith("10.2.") else "dropped_storage"]
        assert guard.judge(replace(question, user=user, established=True)), "what was let in stays"
    answer = replace(question, source=target, target=source, answer=True, established=True, user="nobody")
    assert Nft(rules("storage1")).judge(answer)


def test_everybody_asks_servers_that_ask_who_it_is() -> None:
    guard = Nft(rules("control1"))
    assert guard.judge(Packet("br-mgmt", "10.0.0.11", "10.0.0.12", 3306, way="out", user="nobody"))
    assert guard.judge(Packet("br-storage", "10.1.0.11", "10.1.0.21", 3300, way="out", user="nobody"))


def test_users_are_those_that_the_host_has() -> None:
    host = FakeHost()
    host.users = {}
    firewall.apply(host, plan(host, wanted()), host.arm)
    assert host.disk[firewall.SOURCE].startswith("define user_swift = 0\n"), "a file with a name would not load"
    assert not plan(host, wanted())
    host.users = {"swift": 113}
    planned = plan(host, wanted())
    assert planned.summary() == [f"update {firewall.SOURCE}"]
    firewall.apply(host, planned, host.arm)
    assert host.sent[-1].startswith("define user_swift = 113\n")
    assert not plan(host, wanted())
