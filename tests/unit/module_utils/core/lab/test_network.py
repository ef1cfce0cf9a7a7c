# SPDX-License-Identifier: Apache-2.0
"""The switches: what is missing is made, what stood before comes back, and others' things are left alone."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import network

SWITCHES = [{"name": "hf-mgmt", "address": "172.29.236.1/22"}, {"name": "hf-storage", "address": ""}]
UP = {"state_dir": "/a/.lab", "switches": SWITCHES, "state": "present"}
DOWN = {**UP, "switches": [], "state": "absent"}


def bridge(*addresses: str, lab: bool = True, up: bool = True) -> dict[str, Any]:
    return {"lab": lab, "up": up, "addresses": list(addresses)}


def machine(**changes: Any) -> dict[str, Any]:
    return {
        "root": True, "owner": None, "bridges": {}, "routes": [{"to": "192.0.2.0/24", "dev": "eth0"}], "table": "",
        "forward": False, "recorded": None, "docker": None, "dropping": [], **changes,
    }  # fmt: skip


def converged(**changes: Any) -> dict[str, Any]:
    return machine(
        owner={"state_dir": "/a/.lab", "user": "u", "since": "s", "processes": 9},
        bridges={"hf-mgmt": bridge("172.29.236.1/22"), "hf-storage": bridge()},
        table=network.ruleset(SWITCHES),
        forward=True,
        recorded={"ip_forward": False, "namespaces": True},
        **changes,
    )


def test_a_bare_machine_gets_everything() -> None:
    assert network.plan(machine(), UP).summary() == [
        "claim machine", "create hf-mgmt", "create hf-storage", "enable net.ipv4.ip_forward",
        "load table inet holdfast_lab",
    ]  # fmt: skip


def test_again_there_is_nothing_to_do() -> None:
    assert not network.plan(converged(), UP)


def test_a_switch_that_lost_its_address_gets_it_back() -> None:
    state = converged()
    state["bridges"]["hf-mgmt"] = bridge(up=False)
    (change,) = network.plan(state, UP)
    assert change.action == "update"
    assert change.before == "switch hf-mgmt  down"


def test_only_a_switch_with_an_address_is_a_way_out() -> None:
    rules = network.ruleset(SWITCHES)
    assert 'ip saddr 172.29.236.0/22 oifname != "hf-mgmt" masquerade' in rules
    assert rules.count("masquerade") == 1


def test_switches_with_addresses_are_routed_and_not_masqueraded_between_themselves() -> None:
    rules = network.ruleset([*SWITCHES, {"name": "hf-ext", "address": "172.29.252.1/22"}])
    assert [line.strip() for line in rules.splitlines() if "masquerade" in line] == [
        'ip saddr 172.29.236.0/22 oifname != "hf-mgmt" oifname != "hf-ext" masquerade',
        'ip saddr 172.29.252.0/22 oifname != "hf-mgmt" oifname != "hf-ext" masquerade',
    ]


def test_dockers_chain_accepts_each_switch_once() -> None:
    state = converged(docker=["-N DOCKER-USER", "-A DOCKER-USER -i hf-mgmt -j ACCEPT"])
    rules = [" ".join(change.data["rule"]) for change in network.plan(state, UP)]
    assert rules == [
        "DOCKER-USER -o hf-mgmt -j ACCEPT",
        "DOCKER-USER -i hf-storage -j ACCEPT",
        "DOCKER-USER -o hf-storage -j ACCEPT",
    ]


def test_down_takes_away_all_of_it_and_puts_forwarding_back() -> None:
    state = converged(docker=None)
    assert network.plan(state, DOWN).summary() == [
        "delete table inet holdfast_lab", "disable net.ipv4.ip_forward", "delete link hf-mgmt",
        "delete link hf-storage", "release machine",
    ]  # fmt: skip


def test_down_keeps_forwarding_that_was_there() -> None:
    state = {**converged(), "recorded": {"ip_forward": True, "namespaces": True}}
    assert "disable net.ipv4.ip_forward" not in network.plan(state, DOWN).summary()


def test_down_withdraws_only_its_own_rules_from_dockers_chain() -> None:
    state = converged(docker=["-A DOCKER-USER -i hf-mgmt -j ACCEPT", "-A DOCKER-USER -i br0 -j ACCEPT"])
    withdrawn = [change.data["rule"] for change in network.plan(state, DOWN) if change.action == "withdraw"]
    assert withdrawn == [["DOCKER-USER", "-i", "hf-mgmt", "-j", "ACCEPT"]]


def test_down_on_a_machine_without_a_lab_does_nothing() -> None:
    assert not network.plan(machine(bridges={"br0": bridge(lab=False)}), DOWN)


def test_bridges_that_no_lab_made_stay() -> None:
    state = converged()
    state["bridges"]["br0"] = bridge(lab=False)
    assert "delete link br0" not in network.plan(state, DOWN).summary()


@pytest.mark.parametrize(
    ("changes", "wanted", "code"),
    [
        ({"routes": [{"to": "172.29.0.0/16", "dev": "wg0"}]}, UP, "lab.network_in_use"),
        ({"bridges": {"hf-mgmt": bridge(lab=False)}}, UP, "lab.foreign_bridge"),
        ({"root": False}, UP, "lab.not_root"),
        ({"owner": {"state_dir": "/b/.lab", "user": "u", "since": "s", "processes": 3}}, UP, "lab.owned"),
        ({"owner": {"state_dir": "/b/.lab", "user": "u", "since": "s", "processes": 3}}, DOWN, "lab.owned"),
    ],
)
def test_refusals(changes: dict[str, Any], wanted: dict[str, Any], code: str) -> None:
    assert [finding.code for finding in network.plan(machine(**changes), wanted).errors] == [code]


def test_the_refusal_says_who_holds_the_machine() -> None:
    owner = {"state_dir": "/b/.lab", "user": "ada", "since": "2026-01-01T00:00:00+00:00", "processes": 3}
    (finding,) = network.plan(machine(owner=owner), UP).errors
    assert "/b/.lab" in finding.what
    assert "ada" in finding.what


def test_a_dead_lab_holds_nothing() -> None:
    owner = {"state_dir": "/b/.lab", "user": "u", "since": "s", "processes": 0}
    plan = network.plan(machine(owner=owner), UP)
    assert not plan.errors
    assert plan.summary()[0] == "claim machine"
    assert not network.plan(machine(owner=owner), DOWN).errors


def test_a_firewall_that_drops_forwarded_packets_is_named() -> None:
    plan = network.plan({**converged(), "dropping": ["inet firewalld filter_FORWARD"]}, UP)
    assert [(finding.severity, finding.where) for finding in plan.findings] == [
        ("advice", "inet firewalld filter_FORWARD")
    ]
    docker = network.plan({**converged(docker=[]), "dropping": ["ip filter FORWARD"]}, UP)
    assert not docker.findings


def test_a_route_beside_a_switch_that_is_up_is_no_reason_to_refuse() -> None:
    state = {**converged(), "routes": [{"to": "172.29.237.1", "dev": "tun0"}]}
    assert not network.plan(state, UP).errors


def test_all_ways_through_one_link_are_one_finding() -> None:
    state = machine(routes=[{"to": "172.29.237.1", "dev": "tun0"}, {"to": "172.29.237.2", "dev": "tun0"}])
    (finding,) = network.plan(state, UP).errors
    assert "172.29.237.1, 172.29.237.2 through tun0" in finding.what
