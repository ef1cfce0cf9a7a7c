# SPDX-License-Identifier: Apache-2.0
"""The flow table and what is derived from it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import domain
from ansible_collections.holdfast.storage.plugins.module_utils.core import flows
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.flows import uses
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model, Network
from ansible_collections.holdfast.storage.plugins.module_utils.core.networks.kinds import firewall

NETWORKS = {"mgmt": "172.29.236", "storage": "172.29.244", "repl": "172.29.248"}
CONTROL = ("keystone", "glance_api", "swift_proxy", "mariadb", "rabbitmq", "memcached", "haproxy")


def lab(**variables: str) -> Model:
    """control1 on mgmt and storage, storage1..3 on all three, probe1 on mgmt only."""

    def host(name: str, number: int, groups: tuple[str, ...], networks: tuple[str, ...]) -> Host:
        return Host(
            name=name,
            groups=frozenset(groups),
            addresses={net: f"{NETWORKS[net]}.{number}" for net in networks},
            ports={net: {"interface": f"eth{index}"} for index, net in enumerate(networks)},
            variables={},
        )

    hosts = [host("control1", 11, CONTROL, ("mgmt", "storage")), host("probe1", 9, (), ("mgmt",))]
    hosts += [host(f"storage{n}", 20 + n, ("swift_storage",), ("mgmt", "storage", "repl")) for n in (1, 2, 3)]
    return Model(
        deployment="lab",
        networks={name: Network(name, f"br-{name}", f"{start}.0/22") for name, start in NETWORKS.items()},
        hosts={host.name: host for host in hosts},
        variables={"haproxy_address": "172.29.236.10", **variables},
        uses=domain().uses,
    )


def test_every_row_is_sound() -> None:
    names = [row.id for row in flows.FLOWS]
    assert len(names) == len(set(names))
    for row in domain().flows:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", row.id), row.id
        assert row.network in NETWORKS
        assert bool(row.ports) == (row.protocol in ("tcp", "udp")), row.id
        assert row.servers
        assert row.clients
        assert row.service
        assert row.description


# Each is an NFS server, and no host is two of them: the rule `listeners` refuses it.
ON_HOSTS_OF_THEIR_OWN = {"nfs", "ganesha", "manila_nfs"}


def test_no_two_services_share_a_port_on_one_address() -> None:
    taken: dict[tuple[str, str, int | str, bool], str] = {}
    for row in flows.FLOWS:
        for port in row.ports:
            key = (row.network, row.protocol, port, row.is_frontend)
            other = taken.setdefault(key, row.id)
            assert other == row.id or {other, row.id} <= ON_HOSTS_OF_THEIR_OWN, f"{row.id} and {other}"


@pytest.mark.skipif(not Path(firewall.NFT).exists(), reason="nftables is not installed on this machine")
def test_nft_takes_the_rules_of_every_row() -> None:
    """Also names that could be words of nft's own."""
    bridges = [
        {"bridge": f"br-{name}", "network": name, "addresses": [f"{start}.9"], "sources": []}
        for name, start in NETWORKS.items()
    ]
    entries = [
        {
            "id": row.id,
            "bridge": f"br-{row.network}",
            "protocol": row.protocol,
            "users": [],
            "ports": list(row.ports),
            "role": role,
            "address": f"{NETWORKS[row.network]}.9" if role == "server" else None,
            "peers": [f"{NETWORKS[row.network]}.10", f"{NETWORKS[row.network]}.128/25"],
        }
        for row in flows.FLOWS
        for role in ("server", "client")
    ]
    text = firewall.render({"bridges": bridges, "flows": entries})
    said = subprocess.run(
        [firewall.NFT, "--check", "--file", "-"], input=text, text=True, capture_output=True, check=False
    )
    if "Operation not permitted" in said.stderr:
        pytest.skip("nft asks the kernel, which only root may")
    assert said.returncode == 0, said.stderr


def test_storage_data_stays_off_management_and_replication_stays_on_its_own() -> None:
    for row in flows.FLOWS:
        if row.id.startswith("swift_") and not row.id.startswith("swift_proxy"):
            assert row.network == ("repl" if "replication" in row.id or "rsync" in row.id else "storage")
            assert flows.ANY not in row.clients


def test_an_api_binds_to_its_own_address_and_is_dialled_at_the_balancer() -> None:
    model = lab()
    control = model.hosts["control1"]
    assert flows.bind_address(model, control, "glance_api") == "172.29.236.11"
    assert flows.bind_address(model, control, "glance_api_frontend") == "172.29.236.10"
    assert flows.dial_addresses(model, control, "glance_api") == ["172.29.236.10"]
    assert flows.port("glance_api") == flows.port("glance_api_frontend") == 9292


def test_a_flow_that_is_not_balanced_is_dialled_at_every_server() -> None:
    model = lab()
    found = flows.dial_addresses(model, model.hosts["control1"], "swift_object")
    assert found == ["172.29.244.21", "172.29.244.22", "172.29.244.23"]


def test_refusals_say_what_to_do() -> None:
    model = lab(haproxy_address="")
    with pytest.raises(HoldfastError, match=r"no flow 'glance'.*glance_api"):
        flows.flow("glance")
    with pytest.raises(HoldfastError, match=r"haproxy_address is not set. Fix"):
        flows.dial_addresses(model, model.hosts["control1"], "keystone")
    with pytest.raises(HoldfastError, match=r"control1 is not on the network repl.*Fix"):
        flows.bind_address(model, model.hosts["control1"], "swift_rsync")
    with pytest.raises(HoldfastError, match="no port"):
        flows.port("icmp_mgmt")


def test_hosts_take_part_where_they_are_on_the_network() -> None:
    model = lab()
    roles = {name: {row.id: role for row, role in flows.flows_of(model, host)} for name, host in model.hosts.items()}
    assert roles["control1"]["swift_object"] == "client"
    assert roles["control1"]["keystone"] == "both"
    assert "swift_rsync" not in roles["control1"]
    assert roles["storage1"]["swift_object"] == roles["storage1"]["swift_rsync"] == "both"
    assert roles["storage1"]["keystone_frontend"] == "client"
    assert "mariadb" not in roles["storage1"]
    assert "keystone" not in roles["storage1"]
    assert set(roles["probe1"]) == {
        "ssh",
        "icmp_mgmt",
        "keystone_frontend",
        "glance_api_frontend",
        "swift_proxy_frontend",
    }


def test_flows_of_agrees_with_servers_and_clients() -> None:
    model = lab()
    for name, host in model.hosts.items():
        for row, role in flows.flows_of(model, host):
            assert (host in flows.servers(model, row)) == (role in ("server", "both")), (name, row.id)
            assert (host in flows.clients(model, row)) == (role in ("client", "both")), (name, row.id)


def test_who_uses_what_a_flow_offers_is_its_client() -> None:
    used = uses.of(
        [
            {"service": "one", "components": [{"group": "web", "uses": ["database"]}, {"group": ["web", "worker"]}]},
            {"service": "two", "components": [{"group": ["worker", "api"], "uses": ["database", "identity"]}]},
            {"service": "three", "uses": {"share": [{"groups": ["api"]}, {"groups": ["web"]}]}},
        ]
    )
    assert used == {"database": ("api", "web", "worker"), "identity": ("api", "worker"), "share": ("api", "web")}
    rows = {row.id: row.clients for row in flows.complete(used)}
    assert rows["mariadb"] == ("api", "web", "worker")
    assert rows["nfs"] == ("api", "web")
    assert rows["keystone_frontend"] == (flows.ANY,), "who lets everybody in names nobody"
    assert rows["rabbitmq_cluster"] == ("rabbitmq",)
    assert {"api", "web", "worker", "mariadb"} < flows.groups(used)
    assert flows.groups(used).isdisjoint({flows.ANY, flows.ALL}), "they are no groups"


def test_groups_of_a_component_may_follow_from_the_table() -> None:
    table = uses.complete({"lock": ("cinder_api", "cinder_volume")})
    assert uses.groups_of("all", table) == ("all",)
    assert uses.groups_of(["a", "b"], table) == ("a", "b")
    assert uses.groups_of({"asks": "etcd"}, table) == ("cinder_api", "cinder_volume")
    assert uses.groups_of({"asks": "etcd_peer"}, table) == ("etcd",)
    assert set(uses.groups_of({"serves": "tls"})) == {"mariadb", "rabbitmq", "memcached", "etcd", "haproxy"}


def test_a_certificate_is_shown_by_servers_and_by_clients_of_whom_both_ends_show_theirs() -> None:
    def host(name: str, *groups: str) -> Host:
        return Host(name, frozenset(groups), {}, {}, {})

    balancer, worker, storage = host("b", "haproxy"), host("w", "cinder_scheduler"), host("s", "swift_storage")
    alone = Model("d", {}, {each.name: each for each in (balancer, worker, storage)}, {}, domain().uses)
    assert [flows.shows_certificate(alone, each) for each in (balancer, worker, storage)] == [True, False, False]
    locked = Model("d", {}, {**alone.hosts, "l": host("l", "etcd")}, {}, domain().uses)
    assert [flows.shows_certificate(locked, each) for each in locked.hosts.values()] == [True, True, False, True]


def test_some_flows_are_served_on_more_addresses() -> None:
    more = {"storage": ("10.1.0.201",)}
    server = Host("a", frozenset({"cinder_iscsi", "nfs_server"}), {"storage": "10.1.0.1"}, {}, {}, more_addresses=more)
    model = Model("d", {}, {"a": server}, {})
    assert flows.bind_addresses(model, server, "iscsi") == ["10.1.0.1", "10.1.0.201"]
    assert flows.bind_addresses(model, server, "nfs") == ["10.1.0.1"]
    assert flows.server_addresses(model, flows.flow("nvme")) == ()


def test_addresses_are_in_numeric_order() -> None:
    hosts = {f"h{n}": Host(f"h{n}", frozenset({"mariadb"}), {"mgmt": f"10.0.0.{n}"}, {}, {}) for n in (100, 20, 3)}
    model = Model("d", {}, hosts, {"haproxy_address": "10.0.0.250"})
    assert flows.server_addresses(model, flows.flow("mariadb")) == ("10.0.0.3", "10.0.0.20", "10.0.0.100")
    assert flows.client_addresses(model, flows.flow("icmp_mgmt")) == ("10.0.0.3", "10.0.0.20", "10.0.0.100")
    assert flows.server_addresses(model, flows.flow("keystone_frontend")) == ("10.0.0.250",)
    assert model == Model("d", {}, hosts, {"haproxy_address": "10.0.0.250"}), "what is remembered is no part of it"


def test_counters_are_read_compared_and_summed_by_bridge() -> None:
    def listing(**values: int) -> dict[str, object]:
        entries = [{"metainfo": {"version": "1.1.3"}}]
        entries += [
            {"counter": {"family": "inet", "name": name, "table": "holdfast", "packets": value // 10, "bytes": value}}
            for name, value in values.items()
        ]
        return {"nftables": entries}

    before = flows.parse_counters(listing(swift_object=100, ssh=500, dropped_mgmt=70))
    after = flows.parse_counters(listing(swift_object=1100, swift_rsync=300, ssh=40, dropped_mgmt=70))
    grown = flows.difference(before, after)
    assert grown["swift_object"] == {"bytes": 1000, "packets": 100}
    assert grown["ssh"] == {"bytes": 40, "packets": 4}, "a table that was loaded anew starts from nothing"
    assert flows.by_network(grown) == {"br-mgmt": 40, "br-storage": 1000, "br-repl": 300}
    assert flows.by_network(grown, lab()) == flows.by_network(grown)
    small = lab()
    small = replace(small, networks={name: small.networks[name] for name in ("mgmt", "storage")})
    assert flows.by_network(grown, small) == {"br-mgmt": 40, "br-storage": 1000}


def test_an_address_that_moves_is_asked_and_is_no_bridges_own() -> None:
    model = lab()
    host = model.hosts["storage1"]
    server = replace(host, groups=frozenset({"ganesha"}), moving_addresses={"storage": ("172.29.247.21",)})
    model = replace(model, hosts={**model.hosts, "storage1": server})
    row = flows.flow("ganesha")
    assert flows.server_addresses(model, row) == ("172.29.247.21",)
    assert flows.bind_addresses(model, server, "ganesha") == ["172.29.244.21"]


def test_clients_beyond_the_inventory_come_from_where_a_variable_says() -> None:
    row = flows.flow("ganesha")
    assert flows.outside(row, {"manila_client_networks": ["10.80.0.0/16"]}) == ("10.80.0.0/16",)
    assert flows.outside(row, {}) == ()
    assert flows.outside(flows.flow("nfs"), {"manila_client_networks": ["10.80.0.0/16"]}) == ()
