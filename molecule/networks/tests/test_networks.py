# SPDX-License-Identifier: Apache-2.0
"""Bridges and firewall as the kernel has them, after what the side effects did to one of the hosts."""

from __future__ import annotations

import json
from typing import Any

import pytest

NUMBERS = {"left": 31, "right": 32}
BRIDGES = {"br-mgmt": ("eth0", 236, 1500), "br-storage": ("eth1", 244, 9000), "br-repl": ("eth2", 248, 1500)}


def peer(host: Any) -> int:
    """The last byte of the other host's addresses."""
    return NUMBERS["right" if host.check_output("hostname") == "left" else "left"]


def counters(host: Any) -> dict[str, int]:
    listed = json.loads(host.check_output("nft --json list counters table inet holdfast"))["nftables"]
    return {entry["counter"]["name"]: entry["counter"]["packets"] for entry in listed if "counter" in entry}


@pytest.mark.parametrize("bridge", BRIDGES)
def test_bridge_has_its_port_mtu_and_address(host: Any, bridge: str) -> None:
    port, third, mtu = BRIDGES[bridge]
    links = {link["ifname"]: link for link in json.loads(host.check_output("ip -json -details address show"))}
    assert links[bridge]["linkinfo"]["info_kind"] == "bridge"
    assert [name for name, link in links.items() if link.get("master") == bridge] == [port]
    assert (links[bridge]["mtu"], links[port]["mtu"]) == (mtu, mtu)
    assert {"UP", "LOWER_UP"} <= set(links[bridge]["flags"])
    number = NUMBERS[host.check_output("hostname")]
    addresses = [(entry["local"], entry["prefixlen"]) for entry in links[bridge]["addr_info"]]
    assert addresses == [(f"172.29.{third}.{number}", 22)]
    assert links[port]["addr_info"] == []


def test_the_way_out_is_management(host: Any) -> None:
    routes = json.loads(host.check_output("ip -json route show default"))
    assert [(route["dev"], route["gateway"]) for route in routes] == [("br-mgmt", "172.29.236.1")]


@pytest.mark.parametrize("bridge", BRIDGES)
def test_full_frames_cross_and_are_counted_on_their_network(host: Any, bridge: str) -> None:
    _, third, mtu = BRIDGES[bridge]
    before = counters(host)
    host.check_output(f"ping -c 3 -i 0.2 -W 2 -M do -s {mtu - 28} 172.29.{third}.{peer(host)}")
    grown = {name: packets - before[name] for name, packets in counters(host).items() if packets != before[name]}
    assert grown.pop("ssh") > 0
    assert grown == {f"icmp_{bridge.removeprefix('br-')}": 6}


@pytest.mark.parametrize(("third", "is_open"), [(236, True), (244, False), (248, False)])
def test_ssh_is_for_management_only(host: Any, third: int, is_open: bool) -> None:
    tried = host.run(f"timeout 2 bash -c '</dev/tcp/172.29.{third}.{peer(host)}/22'")
    assert (tried.rc == 0) == is_open


@pytest.mark.parametrize("third", [236, 244, 248])
def test_what_no_flow_has_is_dropped_and_counted_though_something_listens(host: Any, third: int) -> None:
    number = NUMBERS[host.check_output("hostname")]
    name = f"dropped_{ {236: 'mgmt', 244: 'storage', 248: 'repl'}[third] }"
    host.run("systemd-run --quiet --collect --unit=listener python3 -m http.server 4444")
    listening = "for n in $(seq 50); do ss -Hltn | grep -q :4444 && exit 0; sleep 0.1; done; exit 1"
    assert host.run(listening).rc == 0
    assert host.run(f"timeout 2 bash -c '</dev/tcp/172.29.{third}.{number}/4444'").rc == 0, "from the host itself"
    try:
        other = "right" if number == NUMBERS["left"] else "left"
        before = counters(host)[name]
        tried = (
            type(host)
            .get_host(f"paramiko://{other}", ssh_config=host.backend.ssh_config)
            .run(f"timeout 2 bash -c '</dev/tcp/172.29.{third}.{number}/4444'")
        )
        assert tried.rc == 124
        assert counters(host)[name] > before
    finally:
        host.check_output("systemctl stop listener")


def test_the_guard_holds_nothing_and_rules_are_loaded_at_boot(host: Any) -> None:
    for kind in ("network", "firewall"):
        for state in ("pending", "undoing", "confirmed"):
            assert not host.file(f"/var/lib/holdfast/guard/{kind}/{state}").exists
    assert host.check_output("systemctl list-timers --no-legend 'holdfast-guard*'") == ""
    for unit in ("systemd-networkd", "holdfast-firewall", "holdfast-guard-boot"):
        assert host.check_output(f"systemctl is-enabled {unit}") == "enabled"
    assert host.check_output("systemctl --failed --no-legend") == ""


def test_the_host_that_was_cut_off_undid_it_before_its_network_came_up(host: Any) -> None:
    if host.check_output("hostname") == "left":
        assert not host.file("/var/lib/holdfast/guard/network/undone").exists
        return
    assert host.file("/var/lib/holdfast/guard/network/undone/paths").contains(
        "/etc/systemd/network/00-holdfast-eth0.network"
    )
    log = host.check_output("journalctl --boot --unit=holdfast-guard-boot --output=cat")
    assert "Undid the change of network that was not confirmed before the restart." in log
