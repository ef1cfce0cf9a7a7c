# SPDX-License-Identifier: Apache-2.0
"""Bridges: what is seen to differ, what is changed, what is refused. A small networkd stands for the kernel."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given

from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model, Network
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks import networkd
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks import wants as networks_wants
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks.kinds import network
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.network_cases import (
    METAL,
    SIMPLE,
    declarations,
    sections,
    wanted,
)

PROVISION = "/etc/systemd/network/10-provision.network"


class FakeHost:
    """A host with NICs, whose networkd makes of the files what the real one would when it starts."""

    def __init__(self, *nics: str, files: Mapping[str, str] | None = None) -> None:
        self.links: dict[str, dict[str, Any]] = {nic: self._new(number) for number, nic in enumerate(nics, 1)}
        self.disk: dict[str, str] = dict(
            files or {PROVISION: "[Match]\nName=eth0\n[Network]\nAddress=172.29.236.21/22\n"}
        )
        self.disk[f"/etc/systemd/system/multi-user.target.wants/{network.NETWORKD}"] = ""
        self.running = True
        self.armed: list[dict[str, Any]] = []
        self.start()

    @staticmethod
    def _new(number: int, **more: Any) -> dict[str, Any]:
        return {"number": number, "kind": None, "mtu": 1500, "up": False, "master": None, "addresses": [], "routes": [],
                "file": None, "carrier": True, **more}  # fmt: skip

    def start(self) -> None:
        units = {path: sections(text) for path, text in sorted(self.disk.items()) if "systemd/network/" in path}
        for path, unit in units.items():
            if path.endswith(".netdev"):
                name = unit["NetDev"]["Name"][0]
                more = {"kind": unit["NetDev"]["Kind"][0], "vlan": unit.get("VLAN", {}).get("Id", [None])[0],
                        "mode": unit.get("Bond", {}).get("Mode", [None])[0]}  # fmt: skip
                if more["vlan"] is None:
                    self.links.setdefault(name, self._new(len(self.links) + 1, **more))
                else:  # needs a link that names it
                    for other in units.values():
                        if name in other.get("Network", {}).get("VLAN", ()):
                            parent = other["Match"]["Name"][0]
                            self.links.setdefault(name, self._new(len(self.links) + 1, parent=parent, **more))
        for name, link in self.links.items():
            matching = [path for path, unit in units.items() if name in unit.get("Match", {}).get("Name", ())]
            link["file"] = min(matching, key=lambda path: path.rpartition("/")[2]) if matching else None
            if not link["file"]:
                continue
            unit = units[link["file"]]
            link["up"] = True
            link["mtu"] = int(unit.get("Link", {}).get("MTUBytes", [link["mtu"]])[0])
            section = unit["Network"]
            link["master"] = (section.get("Bridge") or section.get("Bond") or [None])[0]
            link["addresses"] = list(section.get("Address", ()))
            link["routes"] = [("default", gateway) for gateway in section.get("Gateway", ())]
            routes = unit.get("Route", {})
            link["routes"] += zip(routes.get("Destination", ()), routes.get("Gateway", ()), strict=True)

    def switch(self) -> None:
        """What the detached script does."""
        for line in self.disk[network.SWITCH].splitlines():
            words = line.split()
            if words[1:4] == ["link", "delete", "dev"]:
                del self.links[words[4]]
            elif words[1:3] == ["link", "set"]:
                self.links[words[4]]["master"] = None
        self.running = True
        self.start()

    def run(self, argv: list[str], **options: Any) -> Result:
        if argv[0] == network.IP and "address" in argv:
            return Result(0, json.dumps([self._shown(name, link) for name, link in self.links.items()]), "")
        if argv[0] == network.IP:
            routes = [
                {"dst": to, "gateway": via, "dev": name}
                for name, link in self.links.items()
                for to, via in link["routes"]
            ]
            return Result(0, json.dumps(routes), "")
        if argv[0] == network.NETWORKCTL:
            links = [{"Name": name, "NetworkFile": link["file"]} for name, link in self.links.items()]
            return Result(0, json.dumps({"Interfaces": links}), "")
        if argv[0] == network.SYSTEMCTL and "is-active" in argv:
            return Result(0 if self.running else 3, "", "")
        return Result(0, "", "")

    def _shown(self, name: str, link: Mapping[str, Any]) -> dict[str, Any]:
        addresses = [address.partition("/") for address in link["addresses"]]
        data = {"id": int(link["vlan"])} if link.get("vlan") else {"mode": link.get("mode")}
        return {
            "ifindex": link["number"],
            "ifname": name,
            "mtu": link["mtu"],
            "flags": [*(["UP"] if link["up"] else []), *(["LOWER_UP"] if link["carrier"] else [])],
            **({"master": link["master"]} if link["master"] else {}),
            **({"link": link["parent"]} if link.get("parent") else {}),
            "linkinfo": {"info_kind": link["kind"], "info_data": data} if link["kind"] else {},
            "addr_info": [{"family": "inet", "local": a, "prefixlen": int(length)} for a, _, length in addresses],
        }

    def listdir(self, path: str) -> list[str]:
        return sorted(name[len(path) + 1 :] for name in self.disk if name.startswith(path + "/"))

    def exists(self, path: str) -> bool:
        return path in self.disk

    def read_text(self, path: str) -> str | None:
        return self.disk.get(path)

    def write(self, path: str, content: str, **options: Any) -> None:
        self.disk[path] = content

    def remove(self, path: str) -> None:
        self.disk.pop(path, None)

    def make_directory(self, path: str, **options: Any) -> None:
        pass

    def arm(self, **given: Any) -> None:
        """The guard has tests of its own; here, what it is given."""
        self.armed.append(given)


def plan(host: FakeHost, value: dict[str, Any]) -> network.Plan:
    return network.plan(json.loads(json.dumps(network.read(host, network.question(value)))), value)


def converge(host: FakeHost, value: dict[str, Any]) -> list[str]:
    planned = plan(host, value)
    assert not planned.errors, planned.errors
    network.apply(host, planned, host.arm)
    host.switch()
    return planned.summary()


def codes(planned: network.Plan) -> set[str]:
    return {finding.code for finding in planned.errors}


# -- from the model ----------------------------------------------------------------------------------------------


def model(haproxy: tuple[str, ...] = ("a",), **storage: Any) -> Model:
    hosts = [
        Host(
            name=name,
            groups=frozenset({"haproxy"} if name in haproxy else ()),
            addresses={"mgmt": f"172.29.236.{number}", "storage": f"172.29.244.{number}"},
            ports={"mgmt": {"interface": "eth0"}, "storage": {"bond": {"name": "b0", "interfaces": ["e1"]}, "vlan": 4}},
            variables={"networks_rollback_seconds": 30},
        )
        for number, name in ((11, "a"), (12, "b"))
    ]
    networks = {
        "mgmt": Network("mgmt", "br-mgmt", "172.29.236.0/22", gateway="172.29.236.1"),
        "storage": Network("storage", **{"bridge": "br-storage", "cidr": "172.29.244.0/22", "mtu": 9000, **storage}),
        "repl": Network("repl", "br-repl", "172.29.248.0/22"),
    }
    return Model("d", networks, {host.name: host for host in hosts}, {"haproxy_address": "172.29.236.10"})


def test_only_the_networks_that_a_host_is_on_become_bridges() -> None:
    deployment = model()
    found = networks_wants.network(deployment, deployment.hosts["b"], None, None)
    assert [entry["bridge"] for entry in found["bridges"]] == ["br-mgmt", "br-storage"]
    assert found["bridges"][1]["addresses"] == ["172.29.244.12/22"]
    assert found["bridges"][1]["mtu"] == 9000
    assert found["bridges"][1]["port"]["bond"] == {"name": "b0", "mode": "active-backup", "interfaces": ["e1"]}
    assert found["rollback_seconds"] == 30


def test_the_only_load_balancer_holds_the_address_of_the_apis() -> None:
    def addresses(deployment: Model, name: str) -> list[str]:
        return networks_wants.network(deployment, deployment.hosts[name], None, None)["bridges"][0]["addresses"]

    assert addresses(model(), "a") == ["172.29.236.11/22", "172.29.236.10/32"]
    assert addresses(model(), "b") == ["172.29.236.12/22"]
    assert addresses(model(haproxy=("a", "b")), "a") == ["172.29.236.11/22"], "two share it by keepalived"


def test_networks_may_share_a_bridge() -> None:
    deployment = model(bridge="br-mgmt")
    a = deployment.hosts["a"]
    host = Host(a.name, a.groups, a.addresses, {"mgmt": {"interface": "eth0"}, "storage": {"interface": "eth0"}}, {})
    found = networks_wants.network(deployment, host, None, None)
    assert [entry["bridge"] for entry in found["bridges"]] == ["br-mgmt"]
    assert found["bridges"][0]["mtu"] == 9000
    assert "172.29.244.11/22" in found["bridges"][0]["addresses"]


# -- a host ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [SIMPLE, METAL], ids=["simple", "metal"])
def test_a_bare_host_converges_and_stays(value: dict[str, Any]) -> None:
    host = FakeHost("eth0", "eth1", "eth2", "eth3")
    actions = converge(host, value)
    assert f"supersede {PROVISION}" in actions
    assert "create br-mgmt" in actions
    assert "update eth0" in actions
    assert host.links["eth0"]["addresses"] == []
    assert plan(host, value).summary() == []


OVERLAY = {"bridge": "br-overlay", "addresses": ["172.29.240.31/22"], "port": {"interface": "eth2"}, "mtu": 1600,
           "gateway": None, "dns": [], "routes": [], "switched": True}  # fmt: skip
TAKEN = {"interface": "eth3", "vlan": None, "mtu": 1500}
SWITCHED = {**SIMPLE, "bridges": [*SIMPLE["bridges"], OVERLAY], "ports": [TAKEN]}


@pytest.mark.parametrize("kind", ["tun", "openvswitch"])
def test_a_bridge_that_a_switch_makes_is_waited_for_by_nobody_and_addressed_when_it_is_there(kind: str) -> None:
    host = FakeHost("eth0", "eth1", "eth2", "eth3")
    actions = converge(host, SWITCHED)
    assert {"update eth2", "update eth3"} <= set(actions)
    assert not [action for action in actions if action.endswith(" br-overlay")], "no switch is there yet"
    assert plan(host, SWITCHED).summary() == []
    host.links["br-overlay"] = host._new(20, kind=kind)
    host.start()
    assert host.links["br-overlay"]["addresses"] == ["172.29.240.31/22"]
    assert plan(host, SWITCHED).summary() == []
    host.links["br-overlay"]["addresses"] = []
    assert plan(host, SWITCHED).summary() == ["update br-overlay"]


def test_a_bridge_of_the_kernel_gives_way_to_the_switch() -> None:
    host = FakeHost("eth0", "eth1", "eth2", "eth3")
    converge(host, {**SWITCHED, "bridges": [*SIMPLE["bridges"], {**OVERLAY, "switched": False}]})
    assert host.links["br-overlay"]["kind"] == "bridge"
    assert not plan(host, SWITCHED).errors
    converge(host, SWITCHED)
    assert "/etc/systemd/network/00-holdfast-br-overlay.netdev" not in host.disk


def test_a_link_of_another_kind_in_the_place_of_the_switchs_bridge_is_refused() -> None:
    host = FakeHost("eth0", "eth1", "eth2", "eth3")
    host.links["br-overlay"] = host._new(20, kind="dummy")
    (finding,) = plan(host, SWITCHED).errors
    assert finding.code == "networks.name_taken"
    assert finding.what == "br-overlay exists and is a dummy, not a bridge of a switch."


def test_a_missing_interface_is_told_with_what_it_is_for() -> None:
    told = [finding.what for finding in plan(FakeHost("eth0", "eth1"), SWITCHED).errors]
    assert told == [
        "The host has no interface eth2, which is to carry br-overlay.",
        "The host has no interface eth3, which is to carry what a switch takes it for.",
    ]


def test_the_guard_keeps_what_is_written_and_knows_what_is_made() -> None:
    host = FakeHost("eth0", "eth1")
    converge(host, SIMPLE)
    assert sorted(host.armed[0]["paths"]) == [
        f"{networkd.DIRECTORY}/{name}" for name in sorted(networkd.render(SIMPLE))
    ]
    undo = "\n".join(host.armed[0]["undo"])
    assert "link delete dev br-mgmt" in undo
    assert "link delete dev br-storage" in undo
    assert "link delete dev eth0" not in undo
    assert undo.endswith("start systemd-networkd.service; }")


@pytest.mark.parametrize(
    ("link", "change", "shown"),
    [
        ("br-mgmt", {"addresses": []}, "address 172.29.236.21/22"),
        ("br-mgmt", {"routes": []}, "route default via 172.29.236.1"),
        ("br-storage", {"mtu": 1500}, "mtu 9000"),
        ("br-storage", {"up": False}, "up"),
        ("eth1", {"master": None}, "in br-storage"),
    ],
)
def test_what_was_changed_by_hand_in_the_kernel_is_seen(link: str, change: dict[str, Any], shown: str) -> None:
    host = FakeHost("eth0", "eth1")
    converge(host, SIMPLE)
    host.links[link].update(change)
    planned = plan(host, SIMPLE)
    assert planned.summary() == [f"update {link}"]
    assert shown in planned.changes[0].after.splitlines()
    assert shown not in planned.changes[0].before.splitlines()
    converge(host, SIMPLE)
    assert not plan(host, SIMPLE)


def test_an_address_of_someone_else_on_a_bridge_is_let_be() -> None:
    host = FakeHost("eth0", "eth1")
    converge(host, SIMPLE)
    host.links["br-mgmt"]["addresses"].append("172.29.236.10/32")
    assert not plan(host, SIMPLE)


def test_a_bridge_that_was_deleted_is_made_again() -> None:
    host = FakeHost("eth0", "eth1")
    converge(host, SIMPLE)
    del host.links["br-storage"]
    host.links["eth1"]["master"] = None
    assert converge(host, SIMPLE) == ["create br-storage", "update eth1"]
    assert not plan(host, SIMPLE)


def test_a_bridge_that_is_no_longer_wanted_goes() -> None:
    host = FakeHost("eth0", "eth1")
    converge(host, SIMPLE)
    less = wanted(SIMPLE["bridges"][0])
    converge(host, less)
    assert "br-storage" not in host.links
    assert not plan(host, less)


def test_a_bridge_that_moves_to_another_port_leaves_the_first_one() -> None:
    host = FakeHost("eth0", "eth1", "eth2")
    converge(host, SIMPLE)
    moved = copy.deepcopy(SIMPLE)
    moved["bridges"][1]["port"]["interface"] = "eth2"
    converge(host, moved)
    assert {name for name, link in host.links.items() if link["master"] == "br-storage"} == {"eth2"}
    assert f"{network.IP} link set dev eth2 nomaster" in host.armed[-1]["undo"]


def test_nobody_reaches_the_host_by_the_interface_that_the_provisioning_configured() -> None:
    """Management moves to eth1: eth0 would get its address back from the provisioning, and nobody would notice."""
    moved = copy.deepcopy(SIMPLE)
    moved["bridges"] = moved["bridges"][:1]
    moved["bridges"][0]["port"]["interface"] = "eth1"
    for host in (FakeHost("eth0", "eth1"), FakeHost("eth0", "eth1", "eth2")):
        if "eth2" in host.links:
            converge(host, SIMPLE)
        converge(host, moved)
        assert {name for name, link in host.links.items() if "172.29.236.21/22" in link["addresses"]} == {"br-mgmt"}
        assert not plan(host, moved)
        converge(host, SIMPLE)
        assert host.links["eth0"]["master"] == "br-mgmt"


def test_an_address_of_ours_that_appears_elsewhere_is_seen() -> None:
    host = FakeHost("eth0", "eth1", "eth2")
    converge(host, SIMPLE)
    host.links["eth2"]["addresses"] = ["172.29.236.21/22"]
    planned = plan(host, SIMPLE)
    assert planned.summary() == [f"create {networkd.DIRECTORY}/00-holdfast-eth2.network", "release eth2"]
    converge(host, SIMPLE)
    assert not plan(host, SIMPLE)


def test_a_vlan_that_changes_is_made_anew() -> None:
    host = FakeHost("eth0", "eth1", "eth2", "eth3")
    converge(host, METAL)
    other = copy.deepcopy(METAL)
    other["bridges"][1]["port"]["bond"]["mode"] = other["bridges"][2]["port"]["bond"]["mode"] = "active-backup"
    converge(host, other)
    assert host.links["bond0"]["mode"] == "active-backup"
    assert "link delete dev bond0" in "\n".join(host.armed[-1]["undo"])


def test_networkd_is_enabled_where_something_else_ran() -> None:
    host = FakeHost("eth0", "eth1")
    enabled = f"/etc/systemd/system/multi-user.target.wants/{network.NETWORKD}"
    del host.disk[enabled]
    host.running = False
    planned = plan(host, SIMPLE)
    assert planned.summary()[0] == f"enable {network.NETWORKD}"
    network.apply(host, planned, host.arm)
    assert enabled in host.armed[0]["paths"]
    assert any("stop" in line and network.NETWORKD in line for line in host.armed[0]["undo"])


def test_a_change_that_was_never_confirmed_is_something_to_do() -> None:
    host = FakeHost("eth0", "eth1")
    converge(host, SIMPLE)
    host.disk["/var/lib/holdfast/guard/network/pending"] = ""
    assert plan(host, SIMPLE).summary() == ["undo network"]


def test_a_host_without_networkd_or_iproute_is_read_too() -> None:
    class Nothing(FakeHost):
        def run(self, argv: list[str], **options: Any) -> Result:
            return Result(127, "", f"{argv[0]}: command not found")

    assert network.read(Nothing("eth0"), network.question(SIMPLE))["links"] == {}


# -- refusals ----------------------------------------------------------------------------------------------------


def test_an_interface_that_is_not_there_is_refused() -> None:
    planned = plan(FakeHost("eth0"), SIMPLE)
    assert codes(planned) == {"networks.interface_missing"}
    assert "eth1" in planned.errors[0].what
    assert "br-storage" in planned.errors[0].what


def test_an_interface_without_a_cable_is_refused_only_when_something_would_change() -> None:
    host = FakeHost("eth0", "eth1")
    host.links["eth1"].update(up=True, carrier=False)
    assert codes(plan(host, SIMPLE)) == {"networks.no_carrier"}
    host.links["eth1"]["carrier"] = True
    converge(host, SIMPLE)
    host.links["eth1"]["carrier"] = False
    assert not plan(host, SIMPLE)
    assert not plan(host, SIMPLE).errors


def test_an_interface_in_someone_elses_bridge_is_refused() -> None:
    host = FakeHost("eth0", "eth1", "docker0")
    host.links["eth1"]["master"] = "docker0"
    assert codes(plan(host, SIMPLE)) == {"networks.interface_taken"}


def test_a_name_that_something_else_has_is_refused() -> None:
    assert codes(plan(FakeHost("eth0", "eth1", "br-mgmt"), SIMPLE)) == {"networks.name_taken"}


def test_a_foreign_file_that_would_keep_its_effect_is_refused() -> None:
    first = "/etc/systemd/network/00-aaa.network"
    host = FakeHost("eth0", "eth1", files={first: "[Match]\nName=eth0\n[Network]\nDHCP=yes\n"})
    planned = plan(host, SIMPLE)
    assert codes(planned) == {"networks.file_before_ours"}
    assert first in str(planned.errors[0])


# -- ifupdown ----------------------------------------------------------------------------------------------------

INTERFACES = """\
# The loopback
auto lo
iface lo inet loopback

auto eth0 eth9
allow-hotplug eth1
iface eth0 inet static
    address 172.29.236.21/22
    gateway 172.29.236.1

iface eth9 inet dhcp
"""


def test_stanzas_of_our_interfaces_are_taken_out_and_the_rest_stands() -> None:
    left = network.without_interfaces(INTERFACES, {"eth0", "eth1"})
    assert left == "# The loopback\nauto lo\niface lo inet loopback\n\nauto eth9\niface eth9 inet dhcp\n"
    assert network.without_interfaces(INTERFACES, {"eth5"}) == INTERFACES


def test_ifupdown_gives_up_our_interfaces_and_takes_them_back() -> None:
    path = "/etc/network/interfaces"
    host = FakeHost("eth0", "eth1", files={path: INTERFACES, "/usr/sbin/ifup": ""})
    actions = converge(host, SIMPLE)
    assert f"update {path}" in actions
    assert "iface eth0" not in host.disk[path]
    assert "ifdown --force eth0" in host.disk[network.SWITCH]
    assert path in host.armed[0]["paths"]
    assert "ifup --force eth0" in host.armed[0]["undo"]
    assert not plan(host, SIMPLE)


# -- any declaration ---------------------------------------------------------------------------------------------


@given(declarations(), declarations())
def test_any_declaration_converges_from_any_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    host = FakeHost(*(f"eth{n}" for n in range(9)))
    converge(host, before)
    assert plan(host, before).summary() == []
    if plan(host, after):
        converge(host, after)
    assert plan(host, after).summary() == []
    masters = {name: link["master"] for name, link in host.links.items() if link["master"]}
    assert masters == {
        path.removeprefix("00-holdfast-").removesuffix(".network"): (unit.get("Bridge") or unit["Bond"])[0]
        for path, text in networkd.render(after).items()
        if path.endswith(".network") and {"Bridge", "Bond"} & set(unit := sections(text)["Network"])
    }
    written = {
        name.removeprefix(networkd.DIRECTORY + "/"): text
        for name, text in host.disk.items()
        if name.startswith(f"{networkd.DIRECTORY}/{networkd.PREFIX}")
    }
    assert networkd.render(after).items() <= written.items()
    released = {name: sections(text)["Network"] for name, text in written.items() if name not in networkd.render(after)}
    assert all("Address" not in section and "Bridge" not in section for section in released.values())
