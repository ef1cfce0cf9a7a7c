# SPDX-License-Identifier: Apache-2.0
"""The firewall: a small nftables judges packets by the rendered rules; the flow table is the judge of that."""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import domain
from ansible_collections.holdfast.storage.plugins.module_utils.core import flows
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model, Network
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks import wants as networks_wants
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks.kinds import firewall
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

START = {"mgmt": "10.0.0", "storage": "10.1.0", "repl": "10.2.0", "overlay": "10.3.0"}
OPENSTACK = {"keystone", "glance_api", "swift_proxy", "ceph_rgw", "cinder_api", "cinder_scheduler", "cinder_volume"}
STORAGE = {"swift_storage", "nfs_server", "cinder_iscsi", "cinder_nvme", "ceph_mon", "ceph_mgr", "ceph_osd", "ceph_mds"}
CONTROL = {*OPENSTACK, *(row.servers for row in flows.FLOWS)} - {*STORAGE, flows.ALL, flows.BALANCER}
OUTSIDE = 200


def model(**variables: Any) -> Model:
    """Two control hosts and a load balancer of its own, two storage hosts: every flow crosses a wire."""

    def host(name: str, number: int, groups: set[str], *networks: str) -> Host:
        addresses = {network: f"{START[network]}.{number}" for network in networks}
        return Host(name, frozenset(groups), addresses, {network: {} for network in networks}, variables)

    hosts = [
        host("balancer", 5, {"haproxy"}, "mgmt"),
        host("control1", 11, CONTROL, "mgmt", "storage", "overlay"),
        host("control2", 12, CONTROL, "mgmt", "storage", "overlay"),
        host("storage1", 21, STORAGE, "mgmt", "storage", "repl"),
        host("storage2", 22, STORAGE, "mgmt", "storage", "repl"),
    ]
    networks = {name: Network(name, f"br-{name}", f"{start}.0/24") for name, start in START.items()}
    own = {"haproxy_address": "10.0.0.100"}
    return Model("d", networks, {each.name: each for each in hosts}, own, domain().uses)


def rules(name: str, **variables: Any) -> str:
    deployment = model(**variables)
    return firewall.render(networks_wants.firewall(deployment, deployment.hosts[name], None, None))


@dataclass(frozen=True)
class Packet:
    """``way`` is in or out; ``user`` has the process that sends it, if one does.

    ``port`` is the server's, ``answer`` tells that the packet comes from it.
    """

    bridge: str
    source: str
    target: str
    port: int
    protocol: str = "tcp"
    answer: bool = False
    established: bool = False
    way: str = "in"
    user: str | None = "root"

    def uses(self, ports: str) -> bool:
        """Whether its port is the one, or in the range."""
        first, _, last = ports.partition("-")
        return int(first) <= self.port <= int(last or first)


class Nft:
    """As much of nftables as the rules use. It knows no word that it does not understand."""

    def __init__(self, text: str) -> None:
        self.sets: dict[str, list[Any]] = {}
        self.chains: dict[str, list[str]] = {}
        self.counted: list[str] = []
        chain = None
        for line in text.splitlines():
            words = line.split()
            if words[:1] == ["add"]:
                elements = line.partition("{")[2].rstrip("} ").split(",")
                self.sets[words[4]] = [ipaddress.ip_network(element.strip()) for element in elements]
            elif words[:1] == ["chain"] and line.endswith("{"):
                chain = words[1]
                self.chains[chain] = []
            elif words == ["}"]:
                chain = None
            elif chain:
                # Addresses in braces become one word.
                named = re.sub(r"(daddr) \{ ([^}]*) \}", lambda m: f"{m[1]} {{{m[2].replace(' ', '')}}}", line.strip())
                self.chains[chain].append(named)

    def judge(self, packet: Packet) -> bool:
        """Whether the packet passes; ``counted`` gets the counters that it was counted by."""
        self.counted = []
        hook = "input" if packet.way == "in" else "output"
        jumps = dict(re.findall(r'"([^"]+)" : jump (\w+)', " ".join(self.chains[hook])))
        if packet.bridge in jumps:
            for rule in self.chains[jumps[packet.bridge]]:
                verdict = self._apply(rule.split(), packet)
                if verdict is not None:
                    return verdict
        return True

    def _apply(self, words: list[str], packet: Packet) -> bool | None:
        while words:
            word, *words = words
            if word == "ip":
                field, expected, *words = words
                if expected == "!=":
                    expected, *words = words
                    if self._is(packet, field, expected):
                        return None
                elif not self._is(packet, field, expected):
                    return None
            elif word in ("tcp", "udp"):
                field, *words = words
                ports, words = self._braces(words)
                if packet.protocol != word or not any(map(packet.uses, ports)) or (field == "sport") != packet.answer:
                    return None
            elif word == "icmp":
                assert words[0] == "type"
                if packet.protocol != "icmp" or (words[1] == "echo-reply") != packet.answer:
                    return None
                words = words[2:]
            elif word == "icmpv6":
                return None
            elif word == "meta" and words[0] == "skuid":
                assert words[1] == "!="
                users, words = self._braces(words[2:])
                if packet.user is None or {"root": "0"}.get(packet.user, f"$user_{packet.user}") in users:
                    return None
            elif word == "meta":
                assert words[:2] == ["nfproto", "ipv4"]
                words = words[2:]
            elif word == "ct":
                assert words[0] == "state"
                if packet.established != {"established,related": True, "new": False}[words[1]]:
                    return None
                words = words[2:]
            elif word == "counter":
                assert words[0] == "name"
                self.counted.append(words[1])
                words = words[2:]
            else:
                assert word in ("accept", "drop"), word
                return word == "accept"
        return None

    def _is(self, packet: Packet, field: str, expected: str) -> bool:
        address = ipaddress.ip_address(packet.source if field == "saddr" else packet.target)
        if expected.startswith("{"):
            return str(address) in expected.strip("{}").split(",")
        if expected.startswith("@"):
            return any(address in network for network in self.sets.get(expected[1:], ()))
        return str(address) == expected

    @staticmethod
    def _braces(words: list[str]) -> tuple[list[str], list[str]]:
        if words[0] != "{":
            return words[:1], words[1:]
        end = words.index("}")
        return [word.rstrip(",") for word in words[1:end]], words[end + 1 :]


def packets(deployment: Model) -> list[tuple[str, str | None, Packet]]:
    """A question of every host, and of one outside, to every port of the table of every other host, on each network."""
    ends = {(row.protocol, int(end)) for row in flows.FLOWS for port in row.ports for end in str(port).split("-")}
    ports = sorted({*ends, ("icmp", 0), ("tcp", 4444), ("tcp", 7299 + 41)})
    found = []
    for network, start in START.items():
        sources: list[tuple[str | None, str]] = [(None, f"{start}.{OUTSIDE}")]
        sources += [
            (host.name, host.addresses[network]) for host in deployment.hosts.values() if network in host.addresses
        ]
        for target in deployment.hosts.values():
            own = [target.addresses[network]] if network in target.addresses else []
            if own and network == "mgmt" and "haproxy" in target.groups:
                own.append("10.0.0.100")
            for (name, source), address, (protocol, port) in itertools.product(sources, own, ports):
                if name != target.name:
                    packet = Packet(f"br-{network}", source, address, port, protocol)
                    found.append((target.name, name, packet))
    return found


def expected(deployment: Model, target: str, source: str | None, packet: Packet) -> str | None:
    """The flow that the packet belongs to by the table, if any."""
    network = packet.bridge.removeprefix("br-")
    for row in flows.table(deployment):
        ports = row.ports or (0,)
        if (row.network, row.protocol) != (network, packet.protocol) or not any(packet.uses(str(p)) for p in ports):
            continue
        host = deployment.hosts[target]
        if row.is_frontend != (packet.target == "10.0.0.100") and row.servers != flows.ALL:
            continue
        asks = flows.ANY in row.clients or (source and deployment.hosts[source] in flows.clients(deployment, row))
        if host in flows.servers(deployment, row) and asks:
            return row.id
    return None


def test_what_the_table_has_passes_and_is_counted_and_nothing_else_passes() -> None:
    deployment = model()
    guards = {name: Nft(rules(name)) for name in deployment.hosts}
    asked = packets(deployment)
    passed = set()
    for target, source, packet in asked:
        flow = expected(deployment, target, source, packet)
        assert guards[target].judge(packet) == (flow is not None), (target, source, packet, flow)
        counter = flow or f"dropped_{packet.bridge.removeprefix('br-')}"
        assert guards[target].counted == [counter], (target, source, packet)
        passed.add(flow)
    assert len(asked) > 500
    assert passed >= {row.id for row in flows.FLOWS}, "every flow was seen to pass"


def test_both_ends_count_every_packet_of_a_flow_in_both_directions() -> None:
    deployment = model()
    guards = {name: Nft(rules(name)) for name in deployment.hosts}
    for target, source, question in packets(deployment):
        flow = expected(deployment, target, source, question)
        if flow is None:
            continue
        answer = replace(question, source=question.target, target=question.source, answer=True, established=True)
        journey = [(target, replace(answer, way="out"))]
        # The balancer's address is for its APIs: an echo to it is counted as any other question.
        if source and (question.target != "10.0.0.100" or flows.flow(flow).is_frontend):
            journey += [(source, replace(question, way="out")), (source, answer)]
        for name, packet in journey:
            assert guards[name].judge(packet), (name, packet)
            assert guards[name].counted == [flow], (name, packet)


def test_an_answer_that_nobody_asked_for_is_dropped() -> None:
    guard = Nft(rules("control1"))
    answer = Packet("br-storage", "10.1.0.21", "10.1.0.11", 6200, answer=True)
    assert not guard.judge(answer)
    assert guard.judge(replace(answer, established=True))


def test_answers_to_other_questions_of_the_host_pass_and_are_counted_apart() -> None:
    guard = Nft(rules("storage1"))
    assert guard.judge(Packet("br-mgmt", "192.0.2.1", "10.0.0.21", 443, answer=True, established=True))
    assert guard.counted == ["other_mgmt"]


@pytest.mark.parametrize(
    ("bridge", "source", "target"),
    [
        ("br-mgmt", "10.0.0.21", "10.0.0.21"),  # its own address, from the wire
        ("br-mgmt", "10.1.0.11", "10.0.0.21"),  # an address of another network
        ("br-storage", "192.0.2.1", "10.1.0.21"),  # from beyond a network that has no router
        ("br-mgmt", "10.0.0.11", "10.1.0.21"),  # to its address on another network
    ],
)
def test_spoofed_and_strayed_packets_are_dropped_even_in_a_known_connection(
    bridge: str, source: str, target: str
) -> None:
    guard = Nft(rules("storage1"))
    assert not guard.judge(Packet(bridge, source, target, 22, established=True))
    assert guard.counted == [f"dropped_{bridge.removeprefix('br-')}"]


def test_other_interfaces_are_left_alone() -> None:
    guard = Nft(rules("storage1"))
    assert guard.judge(Packet("docker0", "192.0.2.1", "10.1.0.21", 6200))
    assert guard.judge(Packet("lo", "10.1.0.21", "10.1.0.21", 6200))
    assert guard.judge(Packet("lo", "127.0.0.1", "127.0.0.1", 6200, way="out", user="nobody"))
    assert guard.counted == []


def test_ssh_comes_from_where_the_administrators_are() -> None:
    guard = Nft(rules("storage1", firewall_admin_sources=["192.0.2.0/24", "10.0.0.200/32"]))
    assert guard.judge(Packet("br-mgmt", "192.0.2.7", "10.0.0.21", 22))
    assert guard.judge(Packet("br-mgmt", "10.0.0.200", "10.0.0.21", 22))
    assert not guard.judge(Packet("br-mgmt", "10.0.0.11", "10.0.0.21", 22))


@pytest.mark.parametrize(
    ("connection", "opened"),
    [
        ({"ansible_port": 2222}, [2222]),
        ({"ansible_port": "2222"}, [2222]),
        ({"ansible_port": 22}, [22]),
        ({}, [22]),
        # The port of another address may be forwarded to the usual one.
        (
            {
                "ansible_port": 2222,
                "ansible_host": "jump.example",
                "networks_addresses": {"mgmt": "172.29.236.21"},
            },
            [22, 2222],
        ),
    ],
)
def test_ssh_is_let_in_where_ansible_reaches_the_host(connection: dict[str, Any], opened: list[int]) -> None:
    content = cases.good("lab")
    content["hosts"]["storage1"].update(connection)
    services = cases.deployed(content)
    wanted = {
        name: networks_wants.firewall(services.model, host, services, {}) for name, host in services.model.hosts.items()
    }
    here = {entry["role"]: entry["ports"] for entry in wanted["storage1"]["flows"] if entry["id"] == "ssh"}
    there = {entry["role"]: entry["ports"] for entry in wanted["storage2"]["flows"] if entry["id"] == "ssh"}
    assert here["server"] == opened
    assert there["server"] == [22]
    assert sorted(there["client"]) == sorted({22, *opened})
    again = Model.from_dict(json.loads(json.dumps(services.model.as_dict())))
    assert again == services.model


def test_a_host_is_no_router_between_its_bridges() -> None:
    forward = Nft(rules("storage1")).chains["forward"]
    assert 'iifname "br-mgmt" oifname { "br-storage", "br-repl" } counter name dropped_mgmt drop' in forward
    assert len(forward) == 3
    assert "forward" not in Nft(rules("balancer")).chains


def test_sources_behind_a_router_of_the_network_are_let_in() -> None:
    deployment = model()
    network = replace(deployment.networks["storage"], routes=({"to": "10.9.0.0/16", "via": "10.1.0.1"},))
    routed = replace(deployment, networks={**deployment.networks, "storage": network})
    guard = Nft(firewall.render(networks_wants.firewall(routed, routed.hosts["storage1"], None, None)))
    assert guard.judge(Packet("br-storage", "10.9.0.7", "10.1.0.21", 6200, answer=True, established=True))


def test_the_rules_do_not_depend_on_the_order_of_the_inventory() -> None:
    deployment = model()
    turned = replace(deployment, hosts=dict(reversed(deployment.hosts.items())))
    for name, host in deployment.hosts.items():
        assert networks_wants.firewall(turned, host, None, None) == networks_wants.firewall(
            deployment, host, None, None
        ), name


# -- a host ------------------------------------------------------------------------------------------------------


class FakeHost:
    """A host with nft, which lists what was loaded."""

    def __init__(self, nft: bool = True) -> None:
        self.disk: dict[str, str] = {firewall.NFT: ""} if nft else {}
        self.loaded: str | None = None
        self.refuses: str = ""
        self.sent: list[str] = []
        self.armed: list[dict[str, Any]] = []
        self.users = {"swift": 112}

    def run(self, argv: list[str], *, stdin: str | None = None, check: bool = True) -> Result:
        result = self._run(argv, stdin or "")
        if check and result.rc:
            raise HoldfastError(result.err)
        return result

    def _run(self, argv: list[str], stdin: str) -> Result:
        if argv[0] == "/usr/bin/id":
            number = self.users.get(argv[-1])
            return Result(0, f"{number}\n", "") if number else Result(1, "", "no such user")
        if argv[0] != firewall.NFT:
            if "enable" in argv:
                self.disk[firewall._ENABLED] = ""
            return Result(0, "", "")
        if firewall.NFT not in self.disk:
            return Result(127, "", "nft: command not found")
        if "--json" in argv:
            entries = [{"chain": {"name": "rogue"}}, {"counter": {"name": "rogue"}}, {"counter": {"name": "ssh"}}]
            return Result(0, json.dumps({"nftables": entries}), "") if self.loaded else Result(1, "", "")
        if "list" in argv:
            return Result(1, "", "No such file") if self.loaded is None else Result(0, self.loaded, "")
        if self.refuses and self.refuses in stdin:
            return Result(1, "", "refused")
        if "--check" not in argv:
            self.sent.append(stdin)
            self.loaded = f"listing of {hash(stdin.partition('flush chain inet holdfast rogue')[0])}"
        return Result(0, "", "")

    def exists(self, path: str) -> bool:
        return path in self.disk

    def read_text(self, path: str) -> str | None:
        return self.disk.get(path)

    def write(self, path: str, content: str, **options: Any) -> None:
        self.disk[path] = content

    def make_directory(self, path: str, **options: Any) -> None:
        pass

    def arm(self, **given: Any) -> None:
        """The guard has tests of its own; here, what it is given."""
        self.armed.append(given)


def wanted(name: str = "storage1", **variables: Any) -> dict[str, Any]:
    deployment = model(**variables)
    return networks_wants.firewall(deployment, deployment.hosts[name], None, None)


def plan(host: FakeHost, value: dict[str, Any]) -> Any:
    return firewall.plan(json.loads(json.dumps(firewall.read(host, firewall.question(value)))), value)


def test_a_bare_host_converges_and_stays() -> None:
    host = FakeHost()
    planned = plan(host, wanted())
    assert planned.summary() == [
        f"create {firewall.SOURCE}", "load table inet holdfast", f"enable {firewall.UNIT}",
    ]  # fmt: skip
    assert "counter name swift_object accept" in planned.diff()[0]["after"]
    firewall.apply(host, planned, host.arm)
    assert firewall.SOURCE in host.armed[0]["paths"]
    assert host.armed[0]["undo"][-1].endswith("delete table inet holdfast")
    assert not plan(host, wanted())


def test_a_change_shows_the_rules_and_removes_what_is_stale_in_the_same_transaction() -> None:
    host = FakeHost()
    firewall.apply(host, plan(host, wanted()), host.arm)
    other = wanted(firewall_admin_sources=["192.0.2.0/24"])
    planned = plan(host, other)
    assert planned.summary() == [f"update {firewall.SOURCE}", "load table inet holdfast"]
    shown = planned.diff()[0]
    assert "192.0.2.0/24" in shown["after"]
    assert "192.0.2.0/24" not in shown["before"]
    firewall.apply(host, planned, host.arm)
    last = host.sent[-1]
    assert last.endswith(
        "flush chain inet holdfast rogue\ndelete chain inet holdfast rogue\ndelete counter inet holdfast rogue\n"
    )
    assert "delete counter inet holdfast ssh" not in last
    assert "delete table" not in last, "counters keep their values"
    assert not plan(host, other)


@pytest.mark.parametrize("loaded", ["listing with a rule by hand", None])
def test_rules_that_were_changed_or_flushed_by_hand_are_seen(loaded: str | None) -> None:
    host = FakeHost()
    firewall.apply(host, plan(host, wanted()), host.arm)
    was, host.loaded = host.loaded, loaded
    planned = plan(host, wanted())
    assert planned.summary() == ["load table inet holdfast"]
    assert (planned.changes[0].before, planned.changes[0].after) == (loaded or "", was)


def test_the_order_in_which_the_kernel_lists_is_no_change() -> None:
    """What was added in place is last; after a reboot it is where the file has it."""
    host = FakeHost()
    firewall.apply(host, plan(host, wanted()), host.arm)
    chain, counter = "\tchain a {\n\t\taccept\n\t}", "\tcounter b {\n\t}"
    form = "table inet holdfast {{\n{}\n\n{}\n}}\n"
    recorded = json.loads(host.disk[firewall.LOADED])
    host.disk[firewall.LOADED] = json.dumps({**recorded, "listing": form.format(chain, counter)})
    host.loaded = form.format(counter, chain)
    assert not plan(host, wanted())
    host.loaded = form.format(counter, chain.replace("accept", "drop"))
    assert plan(host, wanted()).summary() == ["load table inet holdfast"]


def test_a_unit_that_was_disabled_by_hand_is_seen() -> None:
    host = FakeHost()
    firewall.apply(host, plan(host, wanted()), host.arm)
    del host.disk[firewall._ENABLED]
    assert plan(host, wanted()).summary() == [f"enable {firewall.UNIT}"]
