# SPDX-License-Identifier: Apache-2.0
"""The Ceph of a deployment: the golden rights, and which host gets which keyring and nothing more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import Deployment
from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import (
    cluster as the_cluster,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import (
    values as ceph,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

NAMED = ("admin", "mon", "bootstrap_osd", *(f"client_{name}" for name in ("glance", "tester", "elsewhere")))
KEYS = {
    **{f"ceph_{name}_key": ceph.make_key(bytes(range(16))) for name in NAMED},
    "ceph_daemons_root_secret": "r" * 40,
    "rgw_identity_password": "p" * 40,
    "keystone_admin_password": "q" * 40,
    "ceph_fsid": "6d0c9f84-3b7a-4a55-9e5a-0b8f7a3f4a11",
}


def services(name: str, **variables: Any) -> Services:
    content = cases.good(name)
    content["vars"] |= variables
    found = content.get("raw", {})
    found.get("secrets", {})["ceph_client_cinder_backup_key"] = ceph.make_key(bytes(range(100, 116)))
    model, findings = cases.build(cases.raw(content, **found))
    assert model, findings
    return Deployment.of(model, KEYS).services


def keyrings(given: Services, host: str) -> dict[str, tuple[str, str]]:
    """Group and mode of the keyrings in /etc/ceph that the host gets."""
    view = given.within("ceph_daemons"), given.within("ceph_mon")
    files = [
        entry for part in view for component in part.components(given.model.hosts[host]) for entry in component["files"]
    ]
    return {
        entry["path"].removeprefix("/etc/ceph/ceph.client.").removesuffix(".keyring"): (entry["group"], entry["mode"])
        for entry in files
        if entry["path"].startswith("/etc/ceph/ceph.client.") and entry.get("state") != "absent"
    }


def test_services_have_the_golden_rights():
    given = services("block", cinder_backup_driver="ceph", cinder_backup_pool="backups")
    rights = {client["name"]: client["caps"] for client in the_cluster.client_rights(given.model)}
    assert rights == {
        "glance": {"mon": "profile rbd", "osd": "profile rbd pool=images", "mgr": "profile rbd pool=images"},
        "cinder": {
            "mon": "profile rbd",
            "osd": "profile rbd pool=volumes, profile rbd pool=vms, profile rbd-read-only pool=images",
            "mgr": "profile rbd pool=volumes, profile rbd pool=vms",
        },
        "cinder-backup": {
            "mon": "profile rbd",
            "osd": "profile rbd pool=backups",
            "mgr": "profile rbd pool=backups",
        },
    }
    assert not [text for caps in rights.values() for at, text in caps.items() if ceph.caps_problem(at, text)]


def test_a_listed_client_has_its_keyring_on_its_hosts_for_its_reader():
    given = services("ceph")
    assert keyrings(given, "control1") == {"glance": ("glance", "0640"), "tester": ("disk", "0640")}
    assert keyrings(given, "storage3") == {"tester": ("disk", "0640")}
    assert keyrings(given, "storage2") == {}


@pytest.mark.parametrize("administrators", [[], ["control1"], ["storage1"], ["storage1", "storage3"]])
def test_the_administrators_keyring_is_on_its_hosts_and_taken_from_others(administrators: list[str]) -> None:
    content = cases.good("ceph")
    if administrators:
        content["groups"]["ceph_admin"] = administrators
    model, findings = cases.build(cases.raw(content, **content.get("raw", {})))
    assert model, findings
    given = Deployment.of(model, KEYS).services.within("ceph_mon")
    states = {
        host.name: [entry.get("state", "file") for component in given.components(host) for entry in component["files"]
                    if entry["path"] == "/etc/ceph/ceph.client.admin.keyring"]
        for host in model.hosts.values()
    }  # fmt: skip
    cluster = {host.name for host in model.group("ceph_mon", "ceph_mgr", "ceph_osd", "ceph_mds", "ceph_rgw")}
    wanted = {name: ["file"] if name in administrators else ["absent"] for name in {*cluster, *administrators}}
    assert states == {**{name: [] for name in model.hosts}, **wanted}


def test_a_listed_client_without_hosts_is_in_the_cluster_alone():
    caps = {"mon": "profile rbd", "osd": "profile rbd pool=volumes"}
    given = services("ceph", ceph_clients=[{"name": "elsewhere", "caps": caps}])
    assert not [host for host in given.model.hosts if "elsewhere" in keyrings(given, host)]
    assert {"name": "elsewhere", "caps": caps} in the_cluster.client_rights(given.model)


def test_what_a_listed_client_has_to_reach_is_tried_where_it_runs():
    given = services("ceph")
    (tester,) = list(the_cluster.uses_on(given.model, given.model.hosts["storage3"]))
    assert tester == {"name": "tester", "writes": ["volumes"], "reads": ["images"]}


@pytest.mark.parametrize(
    ("rights", "writes", "reads"),
    [
        ("profile rbd pool=a, profile rbd-read-only pool=b", ["a"], ["b"]),
        ("allow rwx pool=a, allow r pool=b", ["a"], ["b"]),
        ("allow r pool=a, allow rw pool=a", ["a"], []),
        ("profile rbd pool=a namespace=one", [], []),
        ("allow rw tag cephfs data=shares", [], []),
    ],
)
def test_pools_are_tried_as_far_as_rights_are_on_the_whole_of_them(rights, writes, reads):
    assert ceph.pools_tried(rights) == (writes, reads)


def test_a_cluster_has_its_file_systems_and_anothers_has_not():
    given = services("ceph")
    made = the_cluster.wanted(given.model, given, KEYS)
    assert made["filesystems"] == [
        {"name": "shares", "metadata_pool": "shares-names", "data_pool": "shares", "max_mds": 1}
    ]
    assert ("mds.storage1", ceph.DAEMON_CAPS["mds"]) in [(entry["entity"], entry["caps"]) for entry in made["keys"]]


def test_a_gateway_has_pools_that_leave_room_for_others_and_options_that_start_it_again():
    given = services("ceph", ceph_config={"client.rgw": {"rgw_max_attr_size": 1024}})
    made = the_cluster.wanted(given.model, given, KEYS)
    pools = {pool["name"]: pool for pool in made["pools"] if pool["application"] == "rgw"}
    assert {name: pool["pg_num"] for name, pool in pools.items()} == ceph.RGW_POOLS
    options = {entry["name"] for entry in made["config"] if entry["section"] == "client.rgw"}
    (component,) = [
        component
        for component in given.within("services").components(given.model.hosts["storage1"])
        if component["service"] == "rgw"
    ]
    (noted,) = [json.loads(entry["content"]) for entry in component["files"] if entry["path"].endswith("options.json")]
    assert set(noted) == options
    assert "rgw_max_attr_size" in options


def test_a_pool_of_a_gateway_may_be_listed():
    pools = [*cases.good("ceph")["vars"]["ceph_pools"]]
    pools.append({"name": "default.rgw.buckets.data", "application": "rgw", "pg_num": 64, "device_class": "hdd"})
    given = services("ceph", ceph_pools=pools)
    made = the_cluster.wanted(given.model, given, KEYS)["pools"]
    assert [pool["pg_num"] for pool in made if pool["name"] == "default.rgw.buckets.data"] == [64]


def model(**groups: str) -> Model:
    """Hosts by letters: ``osd="abc"`` makes them members of ceph_osd."""
    names = sorted(set("".join(groups.values())))
    members = {
        name: frozenset(f"ceph_{group}" for group, letters in groups.items() if name in letters) for name in names
    }
    hosts = {name: Host(name, members[name], {}, {}, {}) for name in names}
    return Model("lab", {}, hosts, {})


@pytest.mark.parametrize(
    ("groups", "spared"),
    [
        ({"osd": "abc", "mon": "abc", "mgr": "a"}, "c"),
        ({"osd": "abc", "mon": "abc", "mgr": "c"}, "b"),
        ({"osd": "abc", "mon": "abc", "mgr": "bc"}, "c"),
        ({"osd": "ab", "mon": "abc", "mgr": "c"}, None),
        ({"osd": "abc", "mon": "c", "mgr": "a"}, "b"),
        ({"osd": "abc", "mon": "bc", "mgr": "d"}, "a"),
        ({"osd": "abc"}, None),
    ],
)
def test_a_host_is_spared_only_where_quorum_and_manager_stay(groups, spared):
    found = the_cluster.dispensable_osd_host(model(**groups))
    assert (found and found.name) == spared


@pytest.mark.parametrize(("domain", "kind"), [("host", None), ("osd", "0"), ("rack", "3")])
def test_pools_that_nobody_lists_are_spread_as_those_that_are(domain: str, kind: str | None) -> None:
    given = services("ceph", ceph_failure_domain=domain, ceph_rack="r1")
    host = next(host for host in given.model.hosts.values() if "ceph_mon" in host.groups)
    found = [
        line.partition(" = ")[2]
        for component in given.within("ceph_mon").components(host)
        for entry in component["files"]
        if entry["path"] == "/etc/ceph/ceph.conf"
        for line in entry["content"].splitlines()
        if line.startswith("osd_crush_chooseleaf_type")
    ]
    assert found == ([kind] if kind else [])
