# SPDX-License-Identifier: Apache-2.0
"""What systemd-networkd is told of bridges, bonds and VLANs."""

from __future__ import annotations

import configparser
from typing import Any

import pytest
from hypothesis import given

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks import networkd
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.network_cases import (
    BOND,
    METAL,
    SIMPLE,
    bridge,
    declarations,
    sections,
    wanted,
)


def test_a_plain_port_and_its_bridge() -> None:
    files = {name: sections(text) for name, text in networkd.render(SIMPLE).items()}
    assert sorted(files) == [
        "00-holdfast-br-mgmt.link",
        "00-holdfast-br-mgmt.netdev",
        "00-holdfast-br-mgmt.network",
        "00-holdfast-br-storage.link",
        "00-holdfast-br-storage.netdev",
        "00-holdfast-br-storage.network",
        "00-holdfast-eth0.network",
        "00-holdfast-eth1.network",
    ]
    assert files["00-holdfast-br-mgmt.netdev"]["NetDev"] == {
        "Name": ["br-mgmt"], "Kind": ["bridge"], "MACAddress": ["none"],
    }  # fmt: skip
    assert files["00-holdfast-br-mgmt.link"] == {
        "Match": {"OriginalName": ["br-mgmt"]}, "Link": {"MACAddressPolicy": ["none"]},
    }  # fmt: skip
    assert files["00-holdfast-eth0.network"]["Network"]["Bridge"] == ["br-mgmt"]
    addressing = files["00-holdfast-br-mgmt.network"]["Network"]
    assert addressing["Address"] == ["172.29.236.21/22"]
    assert addressing["Gateway"] == ["172.29.236.1"]
    assert addressing["DNS"] == ["9.9.9.9"]
    assert addressing["IPv4ReversePathFilter"] == ["strict"]
    for name in ("eth1.network", "br-storage.network"):
        assert files[f"00-holdfast-{name}"]["Link"]["MTUBytes"] == ["9000"]


def test_bond_and_vlans_carry_the_largest_frame_that_a_bridge_on_them_needs() -> None:
    files = {name.removeprefix("00-holdfast-"): sections(text) for name, text in networkd.render(METAL).items()}
    assert files["bond0.netdev"]["Bond"]["Mode"] == ["802.3ad"]
    assert files["bond0.netdev"]["NetDev"]["MACAddress"] == ["none"], "a bond has the address of a NIC"
    assert files["bond0.network"]["Network"]["VLAN"] == ["bond0.244", "bond0.248"]
    assert "Bridge" not in files["bond0.network"]["Network"]
    assert files["bond0.network"]["Network"]["IPv4ReversePathFilter"] == ["strict"], (
        "what comes without a tag is dropped"
    )
    assert "IPv4ReversePathFilter" not in files["eth2.network"]["Network"]
    assert files["bond0.244.netdev"]["VLAN"]["Id"] == ["244"]
    assert files["bond0.244.network"]["Network"]["Bridge"] == ["br-storage"]
    assert files["eth2.network"]["Network"]["Bond"] == files["eth3.network"]["Network"]["Bond"] == ["bond0"]
    mtus = {name: unit["Link"]["MTUBytes"] for name, unit in files.items() if name.endswith(".network")}
    for name in ("eth2", "eth3", "bond0", "bond0.244", "br-storage"):
        assert mtus[f"{name}.network"] == ["9000"], name
    for name in ("eth0", "bond0.248", "br-repl"):
        assert mtus[f"{name}.network"] == ["1500"], name
    assert files["br-mgmt.network"]["Route"] == {"Destination": ["10.0.0.0/8"], "Gateway": ["172.29.236.2"]}


def test_a_port_may_be_wider_than_its_bridges_need() -> None:
    files = networkd.render(wanted(bridge("br-mgmt", "10.0.0.1/24", {"interface": "eth0", "vlan": 5, "mtu": 9000})))
    assert "MTUBytes=9000" in files["00-holdfast-eth0.network"]
    assert "MTUBytes=1500" in files["00-holdfast-eth0.5.network"]


@pytest.mark.parametrize(
    ("parent", "vlan", "name"),
    [("eth1", 244, "eth1.244"), ("enp129s0f0np0", 4094, "129s0f0np0.4094"), ("enp129s0f1np1", 4094, "129s0f1np1.4094")],
)
def test_names_of_vlans_fit_the_kernel_and_tell_ports_apart(parent: str, vlan: int, name: str) -> None:
    assert networkd.vlan_name(parent, vlan) == name
    assert len(name) <= 15


def test_ports_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(HoldfastError, match=r"cannot be in both br-a and br-b.*VLANs"):
        networkd.render(
            wanted(bridge("br-a", "10.0.0.1/24", {"interface": "e"}), bridge("br-b", "10.0.1.1/24", {"interface": "e"}))
        )
    other = {**BOND, "mode": "active-backup"}
    with pytest.raises(HoldfastError, match="bond0: two bridges say different things of it"):
        networkd.render(
            wanted(
                bridge("br-a", "10.0.0.1/24", {"bond": BOND, "vlan": 1}),
                bridge("br-b", "10.0.1.1/24", {"bond": other, "vlan": 2}),
            )
        )
    with pytest.raises(HoldfastError, match="neither an interface nor a bond"):
        networkd.render(wanted(bridge("br-a", "10.0.0.1/24", {"vlan": 1})))


@given(declarations())
def test_no_link_is_narrower_than_what_it_carries(value: dict[str, Any]) -> None:
    files = {name.removeprefix("00-holdfast-").removesuffix(".network"): sections(text)
             for name, text in networkd.render(value).items() if name.endswith(".network")}  # fmt: skip
    for unit in files.values():
        above = [*unit["Network"].get("Bridge", ()), *unit["Network"].get("Bond", ()), *unit["Network"].get("VLAN", ())]
        for name in above:
            assert int(unit["Link"]["MTUBytes"][0]) >= int(files[name]["Link"]["MTUBytes"][0])


def test_rendered_files_are_what_a_strict_parser_takes() -> None:
    for text in networkd.render(SIMPLE).values():
        configparser.ConfigParser(strict=True, interpolation=None).read_string(text)


def test_a_bridge_that_a_switch_makes_is_only_addressed_and_its_port_brought_up() -> None:
    overlay = bridge("br-overlay", "172.29.240.31/22", {"interface": "eth3", "vlan": 7}, mtu=1600, switched=True)
    written = networkd.render(wanted(overlay))
    files = {name.removeprefix("00-holdfast-"): sections(text) for name, text in written.items()}
    assert {name for name in files if name.startswith("br-overlay")} == {"br-overlay.network"}, "the switch makes it"
    assert files["br-overlay.network"]["Network"]["Address"] == ["172.29.240.31/22"]
    assert files["br-overlay.network"]["Link"]["MTUBytes"] == ["1600"]
    port = files["eth3.7.network"]
    assert port["Network"]["KeepMaster"] == ["yes"], "networkd does not take it away from the switch"
    assert not {"Bridge", "Address"} & set(port["Network"])
    assert port["Link"]["MTUBytes"] == files["eth3.network"]["Link"]["MTUBytes"] == ["1600"]


def test_links_that_a_switch_takes_are_brought_up_without_addresses() -> None:
    ports = [{"interface": "eth4", "vlan": None, "mtu": 1500}, {"interface": "eth3", "vlan": 52, "mtu": 9000}]
    files = networkd.render({**SIMPLE, "ports": ports})
    found = {name.removeprefix("00-holdfast-"): sections(text) for name, text in files.items()}
    for name in ("eth4", "eth3.52"):
        assert found[f"{name}.network"]["Network"]["KeepMaster"] == ["yes"]
        assert "Address" not in found[f"{name}.network"]["Network"]
    assert found["eth3.network"]["Network"]["VLAN"] == ["eth3.52"]
    assert found["eth3.network"]["Link"]["MTUBytes"] == found["eth3.52.network"]["Link"]["MTUBytes"] == ["9000"]
    assert found["eth3.52.netdev"]["VLAN"]["Id"] == ["52"]
    untouched = {name: text for name, text in files.items() if name in networkd.render(SIMPLE)}
    assert untouched == networkd.render(SIMPLE)


def test_a_port_may_carry_a_network_and_a_physical_network_by_a_vlan() -> None:
    storage = bridge("br-storage", "172.29.244.41/22", {"interface": "eno2"})
    files = networkd.render({**wanted(storage), "ports": [{"interface": "eno2", "vlan": 52, "mtu": 1500}]})
    port = sections(files["00-holdfast-eno2.network"])["Network"]
    assert port["Bridge"] == ["br-storage"]
    assert port["VLAN"] == ["eno2.52"]
    assert "KeepMaster" not in port
