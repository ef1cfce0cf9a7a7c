# SPDX-License-Identifier: Apache-2.0
"""The host's switch, against a stand-in of its command that keeps what it is told."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.change import Plan
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.neutron.kinds import virtual_switch
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result

WANTED: dict[str, Any] = {
    "bridges": [
        {"name": "br-overlay", "datapath": "netdev", "port": "eth3", "addresses": ["172.29.240.31/22"]},
        {"name": "br-external", "datapath": "netdev", "port": "eth4", "addresses": []},
    ],
    "external_ids": {
        "system-id": "compute-1",
        "ovn-remote": "ssl:172.29.236.11:6642",
        "ovn-bridge-datapath-type": "netdev",
        "ovn-cms-options": "",
    },
}


def without(name: str, **settings: str) -> dict[str, Any]:
    bridges = [bridge for bridge in WANTED["bridges"] if bridge["name"] != name]
    return {"bridges": bridges, "external_ids": {**WANTED["external_ids"], **settings}}


class Switch:
    """A host with Open vSwitch, whose networkd gives bridges their addresses. ``links`` are what there is to take."""

    def __init__(self) -> None:
        self.answers = True
        self.settings: dict[str, str] = {"rundir": "/run/openvswitch", "system-id": "made-up"}
        self.bridges: dict[str, dict[str, Any]] = {}
        self.links = {"eth3", "eth4"}
        self.addresses: set[str] = set()
        self.given = {"br-overlay": "172.29.240.31"}
        self.files = {virtual_switch.VSCTL: ""}
        self.changes: list[list[str]] = []
        self.reconfigured: list[str] = []

    def exists(self, path: str) -> bool:
        return path in self.files

    def write(self, path: str, content: str, **access: str) -> None:
        self.files[path] = content

    def has_address(self, address: str) -> bool:
        return address in self.addresses

    def run(self, argv: list[str], *, check: bool = True) -> Result:
        if argv[0] == virtual_switch.NETWORKCTL:
            self.reconfigured.append(argv[2])
            self.addresses.add(self.given[argv[2]])
            return Result(0, "", "")
        assert argv[0] == virtual_switch.VSCTL
        assert any(word.startswith("--timeout=") for word in argv), "it would wait for a switch that is gone"
        if not self.answers:
            return Result(1, "", "database connection failed")
        words = [word for word in argv[1:] if not word.startswith(("--timeout", "--format"))]
        commands = [
            list(group) for is_end, group in itertools.groupby(words, key=lambda word: word == "--") if not is_end
        ]
        told = [self._do([word for word in command if not word.startswith("--")]) for command in commands]
        if "list" not in argv:
            self.changes.append(argv[1:])
        return Result(0, "\n".join(text for text in told if text), "")

    def _do(self, command: list[str]) -> str:
        verb, *rest = command
        match verb:
            case "list":
                return json.dumps(self._table(rest[0]))
            case "add-br":
                self.bridges.setdefault(rest[0], {"datapath": "", "ports": [], "ids": {}})
                if rest[0] in self.given:
                    self.addresses.add(self.given[rest[0]])
            case "del-br":
                self.bridges.pop(rest[0], None)
            case "add-port":
                if rest[1] not in self.bridges[rest[0]]["ports"]:
                    self.bridges[rest[0]]["ports"].append(rest[1])
            case "del-port":
                self.bridges[rest[0]]["ports"].remove(rest[1])
            case "set" if rest[0] == "Bridge":
                assignments = dict(pair.split("=", 1) for pair in rest[2:])
                self.bridges[rest[1]]["datapath"] = assignments["datapath_type"]
                self.bridges[rest[1]]["ids"]["holdfast"] = assignments["external_ids:holdfast"]
            case "set":
                name, _, value = rest[2].removeprefix("external_ids:").partition("=")
                self.settings[name] = json.loads(value)
            case "remove":
                self.settings.pop(rest[3], None)
            case _:
                raise AssertionError(command)
        return ""

    def _table(self, name: str) -> dict[str, Any]:
        def told(**columns: Any) -> dict[str, Any]:
            return columns

        ports = [port for bridge in self.bridges.values() for port in bridge["ports"]]
        rows = {
            "Open_vSwitch": [told(external_ids=["map", sorted(map(list, self.settings.items()))])],
            "Bridge": [
                told(
                    name=name,
                    datapath_type=bridge["datapath"],
                    # A set of one is told as that one.
                    ports=_set([["uuid", f"id-{port}"] for port in (name, *bridge["ports"])]),
                    external_ids=["map", list(map(list, bridge["ids"].items()))],
                )
                for name, bridge in self.bridges.items()
            ],
            "Port": [told(_uuid=["uuid", f"id-{port}"], name=port) for port in (*self.bridges, *ports)],
            "Interface": [
                told(
                    name=port,
                    error=["set", []]
                    if port in self.links or port in self.bridges
                    else f"could not open network device {port} (No such device)",
                )
                for port in (*self.bridges, *ports)
            ],
        }[name]
        headings = list(rows[0]) if rows else []
        return {"headings": headings, "data": [[row[heading] for heading in headings] for row in rows]}


def _set(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else ["set", values]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count(step=0.5)
    monkeypatch.setattr(virtual_switch.time, "monotonic", lambda: next(seconds))
    monkeypatch.setattr(virtual_switch.time, "sleep", lambda _: None)


@pytest.fixture
def host() -> Switch:
    return Switch()


def planned(host: Switch, wanted: Mapping[str, Any] = WANTED) -> Plan:
    asked = virtual_switch.question(dict(wanted))
    return virtual_switch.plan(json.loads(json.dumps(virtual_switch.read(host, asked))), dict(wanted))


def converge(host: Switch, wanted: Mapping[str, Any] = WANTED) -> list[str]:
    plan = planned(host, wanted)
    assert not plan.errors, plan.errors
    if plan:
        virtual_switch.apply(host, plan)
    return plan.summary()


def test_a_switch_is_told_all_by_one_command_and_then_stands(host: Switch) -> None:
    assert converge(host) == ["create br-overlay", "create br-external", "update what OVN reads of the host"]
    assert len(host.changes) == 1
    assert host.settings["system-id"] == "compute-1"
    assert host.settings["ovn-remote"] == "ssl:172.29.236.11:6642"
    assert host.settings["rundir"] == "/run/openvswitch", "what is not ours stays"
    assert "ovn-cms-options" not in host.settings
    assert host.bridges["br-overlay"]["ports"] == ["eth3"]
    assert planned(host).summary() == []


def test_before_its_package_is_there_all_is_to_be_made(host: Switch) -> None:
    del host.files[virtual_switch.VSCTL]
    assert planned(host).summary() == [
        "create br-overlay",
        "create br-external",
        "create what OVN reads of the host",
    ]


def test_a_setting_that_is_not_wanted_any_more_goes(host: Switch) -> None:
    converge(host, without("", **{"ovn-cms-options": "enable-chassis-as-gw"}))
    assert host.settings["ovn-cms-options"] == "enable-chassis-as-gw"
    (change,) = planned(host)
    assert (change.before, change.after) == ("ovn-cms-options: enable-chassis-as-gw", "")
    converge(host)
    assert "ovn-cms-options" not in host.settings


def test_a_bridge_of_ours_goes_and_those_of_others_stay(host: Switch) -> None:
    converge(host)
    host.bridges["br-int"] = {"datapath": "netdev", "ports": ["tap1"], "ids": {}}
    host.bridges["br-theirs"] = {"datapath": "system", "ports": [], "ids": {"owner": "somebody"}}
    host.links |= {"tap1"}
    assert converge(host, without("br-external")) == ["delete br-external"]
    assert set(host.bridges) == {"br-overlay", "br-int", "br-theirs"}
    assert planned(host, without("br-external")).summary() == []


@pytest.mark.parametrize(
    ("drift", "summary"),
    [
        (lambda host: host.bridges["br-overlay"].update(datapath="system"), ["update br-overlay"]),
        (lambda host: host.bridges["br-overlay"].update(ids={}), ["update br-overlay"]),
        (lambda host: host.bridges["br-external"]["ports"].remove("eth4"), ["create port eth4 of br-external"]),
        (lambda host: host.addresses.clear(), ["address br-overlay"]),
        (lambda host: host.settings.update({"ovn-remote": "x"}), ["update what OVN reads of the host"]),
        (lambda host: host.bridges.pop("br-external"), ["create br-external"]),
    ],
)
def test_what_somebody_changed_by_hand_is_repaired(host: Switch, drift: Any, summary: list[str]) -> None:
    converge(host)
    drift(host)
    assert converge(host) == summary
    assert planned(host).summary() == []


def test_a_port_that_was_away_is_taken_again(host: Switch) -> None:
    converge(host)
    host.links.remove("eth4")
    (change,) = planned(host)
    assert (change.action, change.subject) == ("renew", "port eth4 of br-external")
    assert "No such device" in change.before
    with pytest.raises(HoldfastError, match=r"can not take eth4 into br-external: could not open .* Fix: name"):
        converge(host)
    host.links.add("eth4")
    assert converge(host) == []


def test_a_port_in_a_bridge_of_others_is_refused(host: Switch) -> None:
    host.bridges["br-theirs"] = {"datapath": "netdev", "ports": ["eth4"], "ids": {}}
    (finding,) = planned(host).errors
    assert (finding.code, finding.where) == ("switch.port-taken", "eth4")
    assert "ovs-vsctl del-port br-theirs eth4" in finding.fix


def test_a_port_may_move_between_bridges_of_ours(host: Switch) -> None:
    converge(host)
    wanted = without("br-external")
    wanted["bridges"].append({"name": "br-office", "datapath": "netdev", "port": "eth4", "addresses": []})
    assert converge(host, wanted) == ["delete br-external", "create br-office"]
    assert planned(host, wanted).summary() == []


def test_instances_are_not_cut_off_by_another_datapath(host: Switch) -> None:
    host.bridges["br-int"] = {"datapath": "system", "ports": [], "ids": {}}
    assert not planned(host).errors, "nobody is plugged in"
    host.bridges["br-int"]["ports"] = ["tap1"]
    host.links.add("tap1")
    (finding,) = planned(host).errors
    assert (finding.code, finding.where) == ("switch.datapath", "br-int")


def test_a_switch_that_was_told_and_is_silent_is_waited_for(host: Switch) -> None:
    converge(host)
    host.answers = False
    plan = planned(host)
    assert plan.summary() == ["wait for the switch"]
    with pytest.raises(HoldfastError, match=r"does not answer after 60 s. Fix: see `journalctl"):
        virtual_switch.apply(host, plan)
    host.answers = True
    virtual_switch.apply(host, plan)
    assert len(host.changes) == 1


def test_what_became_wrong_since_the_plan_is_refused_before_anything_changes(host: Switch) -> None:
    plan = planned(host)
    host.bridges["br-theirs"] = {"datapath": "netdev", "ports": ["eth4"], "ids": {}}
    with pytest.raises(HoldfastError, match="br-theirs already"):
        virtual_switch.apply(host, plan)
    assert host.changes == []


def test_an_address_that_does_not_come_is_an_error(host: Switch) -> None:
    host.given = {"br-overlay": "172.29.240.99"}
    with pytest.raises(HoldfastError, match=r"br-overlay has not got the address 172.29.240.31/22 .*networkctl"):
        converge(host)
    assert virtual_switch.MADE not in host.files
