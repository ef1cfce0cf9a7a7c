# SPDX-License-Identifier: Apache-2.0
"""Hosts that switch for instances: what moves their packets, where tunnels are, and how large packets may be."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model, Network
from ansible_collections.holdfast.storage.plugins.module_utils.core.neutron import chassis


def model(*, overlay: int | None = 1600, hosts: tuple[Host, ...] = (), **variables: Any) -> Model:
    networks = {"storage": Network("storage", "br-storage", "172.29.244.0/22", mtu=9000)}
    if overlay:
        networks["overlay"] = Network("overlay", "br-overlay", "172.29.240.0/22", mtu=overlay)
    return Model("lab", networks, {host.name: host for host in hosts}, variables)


def host(name: str = "compute1", **variables: Any) -> Host:
    return Host(name, frozenset({chassis.GROUP}), {}, {}, variables)


@pytest.mark.parametrize(
    ("kind", "chosen", "moved_by"),
    [
        ("container", "auto", "netdev"),
        ("container", None, "netdev"),
        ("metal", "auto", "system"),
        ("container", "kernel", "system"),
        ("metal", "netdev", "netdev"),
    ],
)
def test_the_kernel_switches_where_it_can_unless_the_inventory_says_otherwise(
    kind: str, chosen: str | None, moved_by: str
) -> None:
    assert chassis.datapath({"holdfast_host_kind": kind, "openvswitch_datapath": chosen}) == moved_by


def test_the_switch_makes_the_bridge_of_tunnels_where_it_is_a_process_and_there_are_tunnels() -> None:
    assert chassis.switched({"openvswitch_datapath": "netdev"}, {chassis.GROUP}) == ("overlay",)
    assert chassis.switched({"openvswitch_datapath": "netdev"}, {"nova_compute"}) == ()
    assert chassis.switched({"openvswitch_datapath": "kernel"}, {chassis.GROUP}) == ()


def test_a_name_follows_from_deployment_and_host_and_can_be_kept() -> None:
    ours, theirs = model(), Model("other", {}, {}, {})
    names = {chassis.name(of, host(name)) for of in (ours, theirs) for name in ("compute1", "compute2")}
    assert len(names) == 4
    assert chassis.name(ours, host()) == chassis.name(model(overlay=None), host())
    assert chassis.name(ours, host(openvswitch_system_id="old-1")) == "old-1"


@pytest.mark.parametrize(
    ("overlay", "given", "carried_by", "largest"),
    [
        (1600, None, "overlay", 1600),
        (None, None, "storage", 9000),
        (1600, 1500, "overlay", 1558),
        (None, 1500, "storage", 1558),
    ],
)
def test_tunnels_are_as_large_as_their_network_takes_or_as_the_inventory_says(
    overlay: int | None, given: int | None, carried_by: str, largest: int
) -> None:
    deployment = model(overlay=overlay, neutron_overlay_mtu=given)
    assert chassis.underlay(deployment).name == carried_by
    assert chassis.path_mtu(deployment) == largest


def test_a_physical_network_is_as_large_as_its_smallest_port() -> None:
    first = host("a", neutron_provider_networks={"b": {"interface": "eth4", "mtu": 9000}, "a": {"interface": "eth5"}})
    second = host("b", neutron_provider_networks={"b": {"interface": "eth4", "mtu": 1400}})
    nobody = Host("c", frozenset(), {}, {}, {"neutron_provider_networks": {"c": {"interface": "eth4"}}})
    assert chassis.physical_networks(model(hosts=(first, second, nobody))) == {"a": 1500, "b": 1400}


def test_a_physical_network_has_a_bridge_and_a_link() -> None:
    assert chassis.provider_bridge("external") == "br-external"
    assert chassis.provider_link({"interface": "eno2"}) == "eno2"
    assert chassis.provider_link({"interface": "eno2", "vlan": 52}) == "eno2.52"
