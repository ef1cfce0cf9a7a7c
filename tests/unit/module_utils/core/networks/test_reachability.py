# SPDX-License-Identifier: Apache-2.0
"""Who must reach whom, and what is said when one does not."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import domain
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model, Network
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks import reachability


def model() -> Model:
    def host(number: int, groups: set[str], *networks: str) -> Host:
        addresses = {name: f"10.{['mgmt', 'storage', 'repl'].index(name)}.0.{number}" for name in networks}
        return Host(f"h{number}", frozenset(groups), addresses, {}, {})

    hosts = [
        host(1, {"swift_proxy", "haproxy", "keystone"}, "mgmt", "storage"),
        host(2, {"swift_storage"}, "mgmt", "storage", "repl"),
        host(3, {"swift_storage"}, "mgmt", "storage", "repl"),
    ]
    networks = {
        "mgmt": Network("mgmt", "br-mgmt", "10.0.0.0/24"),
        "storage": Network("storage", "br-storage", "10.1.0.0/24", mtu=9000),
        "repl": Network("repl", "br-repl", "10.2.0.0/24"),
    }
    return Model("d", networks, {each.name: each for each in hosts}, {"haproxy_address": "10.0.0.100"}, domain().uses)


def test_every_pair_on_every_network_is_asked_in_both_directions() -> None:
    deployment = model()
    pairs = {
        (host.name, target["network"], target["peer"])
        for host in deployment.hosts.values()
        for target in reachability.targets(deployment, host)
    }
    assert pairs == {
        *((a, net, b) for net in ("mgmt", "storage") for a in ("h1", "h2", "h3") for b in ("h1", "h2", "h3") if a != b),
        ("h2", "repl", "h3"),
        ("h3", "repl", "h2"),
    }


def test_the_echo_fills_the_mtu() -> None:
    deployment = model()
    targets = {(t["network"], t["peer"]): t for t in reachability.targets(deployment, deployment.hosts["h2"])}
    assert targets["storage", "h3"] == {
        "network": "storage", "bridge": "br-storage", "source": "10.1.0.2", "peer": "h3", "address": "10.1.0.3",
        "size": 8972,
    }  # fmt: skip
    assert targets["mgmt", "h1"]["size"] == 1472


def test_ports_are_those_of_the_flow_table() -> None:
    deployment = model()
    asked = {(t["flow"], t["address"], t["port"]) for t in reachability.ports(deployment, deployment.hosts["h1"])}
    assert ("swift_object", "10.1.0.2", 6200) in asked
    assert ("swift_object", "10.1.0.3", 6200) in asked
    assert not {flow for flow, _, _ in asked if "repl" in flow or flow == "swift_rsync"}
    storage = {(t["flow"], t["address"]) for t in reachability.ports(deployment, deployment.hosts["h2"])}
    assert ("swift_rsync", "10.2.0.3") in storage
    assert ("swift_proxy_frontend", "10.0.0.100") in storage
    assert not {entry for entry in storage if entry[1].endswith(".2")}, "a host does not ask itself"


def found(**answer: Any) -> list[tuple[str, str]]:
    target = {
        "network": "storage", "bridge": "br-storage", "source": "10.1.0.2", "peer": "h3", "address": "10.1.0.3",
        "size": 8972, "small": 0.1, "full": 0.2, "error": "", **answer,
    }  # fmt: skip
    return [(each.code, str(each)) for each in reachability.findings("h2", {"targets": [target, target]})]


def test_answers_are_no_findings() -> None:
    assert found() == []


def test_silence_names_host_network_peer_and_fix() -> None:
    code, text = found(small=None, full=None)[0]
    assert code == "networks.unreachable"
    for word in ("h2", "networks_ports.storage", "h3", "10.1.0.3", "Fix:"):
        assert word in text


def test_a_jumbo_frame_that_does_not_cross_names_its_size() -> None:
    code, text = found(full=None)[0]
    assert code == "networks.mtu"
    assert "9000 bytes" in text


def test_a_bridge_that_is_not_there_yet_is_advice_once() -> None:
    each = found(error="No such device", small=None, full=None)
    assert [code for code, _ in each] == ["networks.not_made"]
    assert each[0][1].startswith("advice")


def test_only_a_port_that_drops_is_wrong() -> None:
    ports = [
        {"flow": "swift_object", "peer": "h3", "address": "10.1.0.3", "port": 6200, "state": state}
        for state in ("open", "closed", "filtered")
    ]
    assert [each.code for each in reachability.findings("h1", {"ports": ports})] == ["networks.filtered"]
