# SPDX-License-Identifier: Apache-2.0
"""Rules that are laid over others, and what stands in their way."""

from __future__ import annotations

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks.kinds import firewall
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.networks.kinds.test_firewall import (
    FakeHost,
    plan,
    wanted,
)


def test_rules_that_nft_refuses_change_nothing() -> None:
    host = FakeHost()
    host.refuses = "table inet holdfast"
    with pytest.raises(HoldfastError, match="refused"):
        firewall.apply(host, plan(host, wanted()), host.arm)
    assert host.armed == []
    assert firewall.SOURCE not in host.disk


def test_what_stands_in_the_way_is_replaced_whole() -> None:
    host = FakeHost()
    firewall.apply(host, plan(host, wanted()), host.arm)
    host.refuses = "delete chain inet holdfast rogue"
    firewall.apply(host, plan(host, wanted(firewall_admin_sources=["192.0.2.0/24"])), host.arm)
    assert host.sent[-1].startswith("table inet holdfast\ndelete table inet holdfast\n")


def test_a_host_without_nft_is_planned_for_and_refused_when_it_is_applied() -> None:
    host = FakeHost(nft=False)
    planned = plan(host, wanted())
    assert planned.summary()[0] == f"create {firewall.SOURCE}"
    with pytest.raises(HoldfastError, match="package nftables"):
        firewall.apply(host, planned, host.arm)


def test_a_change_that_was_never_confirmed_is_something_to_do() -> None:
    host = FakeHost()
    firewall.apply(host, plan(host, wanted()), host.arm)
    host.disk["/var/lib/holdfast/guard/firewall/undoing"] = ""
    assert plan(host, wanted()).summary() == ["undo firewall"]
