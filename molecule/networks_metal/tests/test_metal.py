# SPDX-License-Identifier: Apache-2.0
"""VLANs over bonds as the kernel has them, after faults, a power cut and a restart."""

from __future__ import annotations

import json
from typing import Any

import pytest

NUMBERS = {"left": 31, "right": 32}
# Bridge: its port, the bond below, the bond's NICs and mode, the VLAN, the network's third byte, its MTU.
BRIDGES: dict[str, tuple[str, str, list[str], str, int | None, int, int]] = {
    "br-mgmt": ("bond0", "bond0", ["eth0", "eth1"], "active-backup", None, 236, 1500),
    "br-storage": ("bond1.244", "bond1", ["eth2", "eth3"], "active-backup", 244, 244, 9000),
    "br-repl": ("bond2.248", "bond2", ["eth4", "eth5"], "802.3ad", 248, 248, 1500),
}


def peer(host: Any) -> int:
    """The last byte of the other host's addresses."""
    return NUMBERS["right" if host.check_output("hostname") == "left" else "left"]


def links(host: Any) -> dict[str, Any]:
    return {link["ifname"]: link for link in json.loads(host.check_output("ip -json -details address show"))}


def bonding(host: Any, bond: str) -> list[dict[str, str]]:
    """/proc/net/bonding: what it says of the bond itself, then of each of its NICs."""
    sections: list[dict[str, str]] = [{}]
    for line in host.file(f"/proc/net/bonding/{bond}").content_string.splitlines():
        key, _, value = line.strip().partition(": ")
        if key == "Slave Interface":
            sections.append({})
        sections[-1].setdefault(key, value)
    return sections


def ping(host: Any, third: int, size: int, count: int = 3) -> Any:
    return host.run(f"ping -c {count} -i 0.3 -W 5 -M do -s {size} 172.29.{third}.{peer(host)}")


def test_it_is_a_machine_of_its_own_on_which_nothing_failed(host: Any) -> None:
    assert host.check_output("systemd-detect-virt --container || true") == "none"
    assert host.check_output("systemctl --failed --no-legend") == ""


@pytest.mark.parametrize("bridge", BRIDGES)
def test_bridge_stands_on_its_port_with_its_address(host: Any, bridge: str) -> None:
    port, _, _, _, _, third, mtu = BRIDGES[bridge]
    found = links(host)
    assert found[bridge]["linkinfo"]["info_kind"] == "bridge"
    assert [name for name, link in found.items() if link.get("master") == bridge] == [port]
    assert found[bridge]["mtu"] == mtu
    assert {"UP", "LOWER_UP"} <= set(found[bridge]["flags"])
    own = [f"{entry['local']}/{entry['prefixlen']}" for entry in found[bridge]["addr_info"]]
    assert own == [f"172.29.{third}.{NUMBERS[host.check_output('hostname')]}/22"]


@pytest.mark.parametrize("bridge", ["br-storage", "br-repl"])
def test_vlan_is_tagged_on_the_bond(host: Any, bridge: str) -> None:
    port, bond, _, _, vlan, _, mtu = BRIDGES[bridge]
    link = links(host)[port]
    assert link["linkinfo"]["info_kind"] == "vlan"
    assert (link["linkinfo"]["info_data"]["id"], link["linkinfo"]["info_data"]["protocol"]) == (vlan, "802.1Q")
    assert (link["link"], link["mtu"]) == (bond, mtu)
    assert link["addr_info"] == []


@pytest.mark.parametrize("bridge", BRIDGES)
def test_bond_has_its_members_mode_and_mtu(host: Any, bridge: str) -> None:
    _, bond, members, mode, _, _, mtu = BRIDGES[bridge]
    found = links(host)
    assert found[bond]["linkinfo"]["info_data"]["mode"] == mode
    assert sorted(name for name, link in found.items() if link.get("master") == bond) == members
    assert {found[name]["mtu"] for name in [bond, *members]} == {mtu}
    whole, *nics = bonding(host, bond)
    assert whole["MII Status"] == "up"
    assert sorted(nic["Slave Interface"] for nic in nics) == members
    assert {nic["MII Status"] for nic in nics} == {"up"}


def test_both_ends_speak_lacp(host: Any) -> None:
    whole, *nics = bonding(host, "bond2")
    assert whole["Number of ports"] == "2"
    assert whole["Partner Mac Address"] not in ("00:00:00:00:00:00", whole["System MAC address"])
    assert len({nic["Aggregator ID"] for nic in nics}) == 1


@pytest.mark.parametrize("bridge", BRIDGES)
def test_frames_cross_up_to_the_mtu_and_no_further(host: Any, bridge: str) -> None:
    *_, third, mtu = BRIDGES[bridge]
    full = ping(host, third, mtu - 28)
    assert full.rc == 0, full.stdout + full.stderr
    assert ping(host, third, mtu - 27, count=1).rc != 0


def test_storage_survives_the_loss_of_its_active_nic(host: Any) -> None:
    before = bonding(host, "bond1")[0]["Currently Active Slave"]
    host.check_output(f"ip link set dev {before} down")
    try:
        lost = ping(host, 244, 8972, count=10)
        assert bonding(host, "bond1")[0]["Currently Active Slave"] not in (before, "None")
    finally:
        host.check_output(f"ip link set dev {before} up")
    assert lost.rc == 0, lost.stdout + lost.stderr


def test_networks_do_not_leak_into_each_other(host: Any) -> None:
    for third in (244, 248):
        for bridge in set(BRIDGES) - {f"br-{ {244: 'storage', 248: 'repl'}[third] }"}:
            assert host.run(f"ping -c 1 -W 1 -I {bridge} 172.29.{third}.{peer(host)}").rc != 0


def test_what_comes_without_a_tag_reaches_nothing(host: Any) -> None:
    assert [host.sysctl(f"net.ipv4.conf.{bond}.rp_filter") for bond in ("bond1", "bond2")] == [1, 1]


def test_the_guard_holds_nothing(host: Any) -> None:
    for state in ("pending", "undoing"):
        assert not host.file(f"/var/lib/holdfast/guard/network/{state}").exists
    for unit in ("systemd-networkd", "holdfast-firewall", "holdfast-guard-boot"):
        assert host.check_output(f"systemctl is-enabled {unit}") == "enabled"


def test_the_bond_that_cut_the_host_off_was_undone(host: Any) -> None:
    undone = host.file("/var/lib/holdfast/guard/network/undone/paths")
    if host.check_output("hostname") == "left":
        assert not undone.exists
        return
    assert undone.contains("/etc/systemd/network/00-holdfast-eth0.network")
    log = host.check_output("journalctl --unit=holdfast-guard-boot --output=cat")
    assert "Undid the change of network that was not confirmed before the restart." in log
