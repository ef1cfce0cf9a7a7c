# SPDX-License-Identifier: Apache-2.0
"""The cluster: only what differs is told, in waves, and nothing leaves that nobody named."""

from __future__ import annotations

import copy
import errno
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import (
    admin as ceph_admin,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import (
    values as ceph,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.kinds import ceph_cluster
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError, RefusedError

FSID = "6d0c9f84-3b7a-4a55-9e5a-0b8f7a3f4a11"
LEAVING = {"name": "one:/dev/x", "uuid": "22222222-3b7a-4a55-9e5a-0b8f7a3f4a11"}
KEY, NEW_KEY = ceph.make_key(bytes(range(16))), ceph.make_key(bytes(range(1, 17)))
CAPS = {"mon": "profile rbd", "osd": "profile rbd pool=images", "mgr": "profile rbd pool=images"}
WANTED: dict[str, Any] = {
    "fsid": FSID,
    "host": "one",
    "config": [{"section": "osd", "name": "osd_memory_target", "value": "896M"}],
    "keys": [{"entity": "client.glance", "key": KEY, "caps": CAPS}],
    "buckets": [
        {"name": "r1", "type": "rack", "parent": "default", "anywhere": False},
        {"name": "one", "type": "host", "parent": "r1", "anywhere": False},
    ],
    "rules": [{"name": "replicated_rack_ssd", "failure_domain": "rack", "device_class": "ssd"}],
    "pools": [
        {"name": "images", "application": "rbd", "size": 3, "min_size": 2, "rule": "replicated_rack_ssd", "pg_num": 32,
         "target_size_ratio": None, "quota_bytes": 1 << 30, "quota_objects": None},
    ],
    "modules": {"restful": False},
    "flags": {"noout": False},
    "monitors": [{"name": "one"}],
    "remove_osds": [],
    "remove_mons": [],
}  # fmt: skip


class FakeCeph:
    """A cluster as far as the kind asks: it refuses what Ceph refuses, and remembers the commands that change it."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, dict[str, Any]]] = []
        self.config: dict[tuple[str, str], str] = {}
        self.auth: dict[str, dict[str, Any]] = {"client.other": {"key": KEY, "caps": {"mon": "allow r"}}}
        self.buckets: dict[str, dict[str, Any]] = {"default": {"type": "root", "parent": None}}
        self.rules = {"replicated_rule": {"domain": "host", "class": None}}
        self.classes: list[str] = []
        self.pools: dict[str, dict[str, Any]] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.modules = {"restful", "iostat"}
        self.flags = {"sortbitwise", "noout"}
        self.mons = ["one"]
        self.osds = {0: {"up": 1, "in": 1, "uuid": LEAVING["uuid"]}}
        self.safe: set[int] = set()
        self.kill_after = 10**9
        self.asked: list[str] = []

    def __enter__(self) -> FakeCeph:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def ask(self, prefix: str, *, manager: bool = False, **arguments: Any) -> tuple[int, Any, str]:
        if prefix == "config help":
            known = {"osd_memory_target": "size", "auth_allow_insecure_global_id_reclaim": "bool"}
            kind = known.get(arguments["key"])
            return (0, {"type": kind}, "") if kind else (-errno.ENOENT, None, "")
        if prefix == "auth get":
            self.asked.append(arguments["entity"])
            entry = self.auth.get(arguments["entity"])
            return (0, [{"entity": arguments["entity"], **entry}], "") if entry else (-errno.ENOENT, None, "no such")
        number = int(arguments["ids"][0])
        if prefix == "osd safe-to-destroy":
            return (0, {"safe_to_destroy": [number]}, "") if number in self.safe else (-errno.EBUSY, None, "")
        return (0, {}, "")

    def tell(self, prefix: str, *, stdin: str = "", manager: bool = False, **given: Any) -> Any:
        shown = {
            "osd dump": self._osds, "mon dump": lambda: {"fsid": FSID, "mons": [{"name": name} for name in self.mons]},
            "osd crush dump": self._crush, "osd crush class ls": lambda: list(self.classes),
            "mgr module ls": lambda: {
                "always_on_modules": ["balancer"], "enabled_modules": sorted(self.modules),
                "disabled_modules": [{"name": "dashboard"}],
            },
            "fs dump": lambda: {"filesystems": [{"mdsmap": found} for found in self.files.values()]},
            "auth get-key": lambda: {"key": self.auth[given["entity"]]["key"]},
            "config dump": lambda: [
                {"section": section, "name": name, "value": value, "mask": ""}
                for (section, name), value in self.config.items()
            ],
        }  # fmt: skip
        if prefix in shown:
            return shown[prefix]()
        if len(self.changes) >= self.kill_after:
            raise KeyboardInterrupt
        self.changes.append((prefix, given))
        self._do(prefix, stdin, given)
        return None

    def _do(self, prefix: str, stdin: str, given: dict[str, Any]) -> None:
        if prefix == "config set":
            self.config[given["who"], given["name"]] = given["value"]
        elif prefix == "auth import":
            entity = stdin[1 : stdin.index("]")]
            caps = dict(line[6:].split(" = ") for line in stdin.splitlines() if line.startswith("\tcaps"))
            assert caps, "Ceph refuses a keyring without capabilities"
            text = {service: value.strip('"') for service, value in caps.items()}
            self.auth[entity] = {"key": stdin.split("key = ")[1].split()[0], "caps": text}
        elif prefix == "auth caps":
            words = given["caps"]
            self.auth[given["entity"]]["caps"] = dict(zip(words[::2], words[1::2], strict=True))
        elif prefix == "osd crush add-bucket":
            self.buckets.setdefault(given["name"], {"type": given["type"], "parent": None})
        elif prefix == "osd crush move":
            parent = given["args"][0].split("=")[1]
            assert parent in self.buckets
            self.buckets[given["name"]]["parent"] = parent
        elif prefix == "osd crush class create":
            self.classes.append(given["class"])
        elif prefix == "osd crush rule create-replicated":
            assert given.get("class") in (None, *self.classes)
            self.rules[given["name"]] = {"domain": given["type"], "class": given.get("class")}
        elif prefix.startswith("osd pool "):
            self._do_to_pool(prefix, given)
        elif prefix == "fs new":
            self.files[given["fs_name"]] = {
                "fs_name": given["fs_name"], "metadata_pool": self.pools[given["metadata"]]["pool"],
                "data_pools": [self.pools[given["data"]]["pool"]], "max_mds": 1,
            }  # fmt: skip
        elif prefix == "fs set":
            self.files[given["fs_name"]][given["var"]] = int(given["val"])
        elif prefix.startswith("mgr module "):
            (self.modules.discard if prefix.endswith("disable") else self.modules.add)(given["module"])
        elif prefix in ("osd set", "osd unset"):
            (self.flags.add if prefix == "osd set" else self.flags.discard)(given["key"])
        elif prefix == "osd out":
            self.osds[int(given["ids"][0])]["in"] = 0
        elif prefix == "osd stop":
            self.osds[int(given["ids"][0])]["up"] = 0
        elif prefix == "osd purge-actual":
            del self.osds[given["id"]]
        elif prefix == "mon rm":
            self.mons.remove(given["name"])

    def _do_to_pool(self, prefix: str, given: dict[str, Any]) -> None:
        if prefix == "osd pool create":
            assert given["rule"] in self.rules
            self.pools.setdefault(given["pool"], {
                "pool": len(self.pools) + 1, "pool_name": given["pool"],
                "size": given["size"], "min_size": 1, "pg_num": given.get("pg_num", 1),
                "pg_autoscale_mode": given["autoscale_mode"], "options": {},
                "quota_max_bytes": 0, "quota_max_objects": 0,
                "crush_rule": list(self.rules).index(given["rule"]), "application_metadata": {},
            })  # fmt: skip
        elif prefix == "osd pool set":
            value: Any = given["val"]
            if given["var"] == "target_size_ratio":
                self.pools[given["pool"]]["options"]["target_size_ratio"] = float(value)
            elif given["var"] == "crush_rule":
                self.pools[given["pool"]]["crush_rule"] = list(self.rules).index(value)
            else:
                self.pools[given["pool"]][given["var"]] = int(value) if value.isdigit() else value
        elif prefix == "osd pool application enable":
            self.pools[given["pool"]]["application_metadata"][given["app"]] = {}
        elif prefix == "osd pool set-quota":
            self.pools[given["pool"]][f"quota_{given['field']}"] = int(given["val"])

    def _osds(self) -> dict[str, Any]:
        return {
            "pools": copy.deepcopy(list(self.pools.values())),
            "flags_set": sorted(self.flags),
            "osds": [{"osd": number, **state} for number, state in self.osds.items()],
        }

    def _crush(self) -> dict[str, Any]:
        numbers = {name: -place for place, name in enumerate(self.buckets, 1)}
        return {
            "buckets": [
                {"id": numbers[name], "name": name, "type_name": bucket["type"],
                 "items": [{"id": numbers[child]} for child, b in self.buckets.items() if b["parent"] == name]}
                for name, bucket in self.buckets.items()
            ],
            "rules": [
                {"rule_id": place, "rule_name": name, "steps": [
                    {"op": "take", "item_name": f"default~{rule['class']}" if rule["class"] else "default"},
                    {"op": "chooseleaf_firstn", "type": rule["domain"]}]}
                for place, (name, rule) in enumerate(self.rules.items())
            ],
        }  # fmt: skip


class FakeHost:
    def __init__(self, cluster: FakeCeph) -> None:
        self.refused, self.entities, self.given = False, list[str](), list[str]()
        self.cluster, self.files, self.down = cluster, {ceph_admin.KEYRING: "", "/etc/ceph/ceph.conf": ""}, False

    def exists(self, path: str) -> bool:
        return path in self.files

    def write(self, path: str, content: str, **access: str) -> None:
        self.files[path] = content

    def listdir(self, path: str) -> list[str]:
        return sorted({name[len(path) + 1 :].split("/")[0] for name in self.files if name.startswith(f"{path}/")})

    def ceph(self, entity: str, keyring: str, timeout: float, *, key: str = "") -> FakeCeph:
        if self.down:
            raise HoldfastError("no answer")
        if entity == "client.admin" and self.refused:
            raise RefusedError("another key")
        self.entities.append(entity)
        self.given.append(key or keyring)
        return self.cluster


@pytest.fixture
def io() -> FakeHost:
    return FakeHost(FakeCeph())


def planned(io: FakeHost, wanted: dict[str, Any]) -> Any:
    return ceph_cluster.plan(ceph_cluster.read(io, ceph_cluster.question(wanted)), wanted)


def converge(io: FakeHost, wanted: dict[str, Any]) -> list[str]:
    plan = planned(io, wanted)
    assert not plan.errors, plan.errors
    ceph_cluster.apply(io, plan)
    return plan.summary()


def changed(**more: Any) -> dict[str, Any]:
    return {**copy.deepcopy(WANTED), **more}


def with_pool(**more: Any) -> dict[str, Any]:
    return changed(pools=[{**WANTED["pools"][0], **more}])


def test_everything_is_made_once_and_then_nothing_is_left(io):
    done = converge(io, WANTED)
    assert done == [
        "create osd/osd_memory_target", "create client.glance", "disable mgr module restful", "create crush rack r1",
        "create crush host one", "create crush rule replicated_rack_ssd", "create pool images", "unset flag noout",
    ]  # fmt: skip
    assert io.cluster.config == {("osd", "osd_memory_target"): "939524096"}
    assert io.cluster.auth["client.glance"] == {"key": KEY, "caps": CAPS}
    assert io.cluster.buckets["one"]["parent"] == "r1"
    assert io.cluster.pools["images"]["min_size"] == 2
    assert io.cluster.pools["images"]["quota_max_bytes"] == 1 << 30
    assert not planned(io, WANTED)
    assert io.files[ceph_cluster.FORMED] == f"{FSID}\n"


@pytest.mark.parametrize("after", range(0, 16, 2))
def test_a_run_that_was_killed_is_finished_by_the_next(io, after):
    io.cluster.kill_after = after
    with pytest.raises(KeyboardInterrupt):
        converge(io, WANTED)
    io.cluster.kill_after = 10**9
    converge(io, WANTED)
    assert not planned(io, WANTED)


def test_before_there_is_a_cluster_all_of_it_is_planned(io):
    io.down = True
    current = ceph_cluster.read(io, ceph_cluster.question(WANTED))
    assert (current["reachable"], current["formed"]) == (False, False)
    plan = ceph_cluster.plan(current, WANTED)
    assert "create pool images" in plan.summary()
    io.down = False
    ceph_cluster.apply(io, plan)
    ceph_cluster.apply(io, plan)  # giving all of it again does no harm
    assert converge(io, WANTED) == ["unset flag noout"]


def test_of_a_cluster_that_does_not_answer_nothing_is_planned_but_to_wait(io):
    converge(io, WANTED)
    io.down = True
    current = ceph_cluster.read(io, ceph_cluster.question(WANTED))
    assert current == {"reachable": False, "formed": True, "reason": "no answer"}
    plan = ceph_cluster.plan(current, WANTED)
    assert plan.summary() == ["wait for the cluster"]
    assert "no answer" in plan.diff()[0]["after"]
    io.down = False
    ceph_cluster.apply(io, plan)
    assert not planned(io, WANTED)


@pytest.mark.parametrize("value", ["896M", 939524096, "939524096", "896 MiB"])
def test_the_same_value_in_other_units_is_the_same(io, value):
    converge(io, WANTED)
    assert not planned(io, changed(config=[{"section": "osd", "name": "osd_memory_target", "value": value}]))


def test_options_that_ceph_does_not_have_and_values_that_do_not_fit_are_refused(io):
    wanted = changed(config=[{"section": "osd", "name": "osd_memory_targt", "value": 1}])
    assert [finding.code for finding in planned(io, wanted).errors] == ["ceph_cluster.option"]
    wanted = changed(config=[{"section": "osd", "name": "osd_memory_target", "value": "lots"}])
    assert [finding.code for finding in planned(io, wanted).errors] == ["ceph_cluster.value"]


def test_a_key_is_rotated_without_a_moment_without_rights(io):
    converge(io, WANTED)
    io.cluster.changes.clear()
    converge(io, changed(keys=[{"entity": "client.glance", "key": NEW_KEY, "caps": CAPS}]))
    assert [prefix for prefix, _ in io.cluster.changes] == ["auth import"]
    assert io.cluster.auth["client.glance"] == {"key": NEW_KEY, "caps": CAPS}


def test_rights_are_changed_by_the_command_that_looks_at_them_and_keys_are_shown_nowhere(io):
    converge(io, WANTED)
    plan = planned(io, changed(keys=[{"entity": "client.glance", "key": KEY, "caps": {"mon": "allow r"}}]))
    assert [command["prefix"] for command in plan.changes[0].data["commands"]] == ["auth caps"]
    assert KEY not in repr(plan.diff())
    assert KEY not in repr(ceph_cluster.read(io, ceph_cluster.question(WANTED)))


def test_pools_follow_in_an_order_that_ceph_takes(io):
    converge(io, WANTED)
    plan = planned(io, with_pool(size=1, min_size=1))
    assert [c["arguments"]["var"] for c in plan.changes[0].data["commands"]] == ["min_size", "size"]
    converge(io, with_pool(size=1, min_size=1))
    plan = planned(io, with_pool(size=4, min_size=3))
    assert [c["arguments"]["var"] for c in plan.changes[0].data["commands"]] == ["size", "min_size"]


def test_a_share_lets_ceph_choose_the_placement_groups(io):
    converge(io, WANTED)
    wanted = with_pool(pg_num=None, target_size_ratio=0.25)
    assert converge(io, wanted) == ["update pool images"]
    io.cluster.pools["images"]["pg_num"] = 128
    assert not planned(io, wanted)


def test_pools_and_keys_that_nobody_listed_stay(io):
    converge(io, WANTED)
    io.cluster.pools["mine"] = {**copy.deepcopy(io.cluster.pools["images"]), "pool_name": "mine"}
    assert not planned(io, changed(keys=[]))


def test_a_host_is_moved_to_its_rack_and_left_where_none_is_said(io):
    converge(io, WANTED)
    elsewhere = [{"name": "one", "type": "host", "parent": "default", "anywhere": True}]
    assert not planned(io, changed(buckets=elsewhere))
    assert converge(io, changed(buckets=[{**elsewhere[0], "anywhere": False}])) == ["move crush host one"]


def test_a_rule_of_the_same_name_and_other_meaning_is_refused(io):
    io.cluster.rules["replicated_rack_ssd"] = {"domain": "host", "class": None}
    assert [finding.code for finding in planned(io, WANTED).errors] == ["ceph_cluster.rule"]


def test_an_osd_is_emptied_first_and_removed_when_it_is_safe(io):
    admin = {"entity": "client.admin", "key": KEY, "caps": ceph.ADMIN_CAPS}
    converge(io, changed(keys=[*WANTED["keys"], admin]))
    leaving = changed(remove_osds=[LEAVING])
    assert converge(io, leaving) == ["empty osd.0 (one:/dev/x)"]
    plan = planned(io, leaving)
    assert not plan
    assert [finding.code for finding in plan.findings] == ["ceph_cluster.draining"]
    io.cluster.safe.add(0)
    assert converge(io, leaving) == ["remove osd.0 (one:/dev/x)"]
    assert [prefix for prefix, _ in io.cluster.changes[-2:]] == ["osd stop", "osd purge-actual"]
    assert not planned(io, leaving).findings


def test_the_number_of_an_osd_that_left_may_be_given_out_again(io):
    converge(io, WANTED)
    io.cluster.osds = {0: {"up": 1, "in": 1, "uuid": "33333333-3b7a-4a55-9e5a-0b8f7a3f4a11"}}
    assert not planned(io, changed(remove_osds=[LEAVING]))


def test_a_monitor_leaves_by_its_name_only(io):
    converge(io, WANTED)
    io.cluster.mons.append("two")
    assert [finding.code for finding in planned(io, WANTED).errors] == ["ceph_cluster.vanished"]
    assert converge(io, changed(remove_mons=["two"])) == ["remove mon.two"]


def test_another_cluster_at_the_same_addresses_is_refused(io):
    plan = planned(io, changed(fsid="11111111-3b7a-4a55-9e5a-0b8f7a3f4a11"))
    assert [finding.code for finding in plan.errors] == ["ceph_cluster.fsid"]
    assert not plan


def _with_files(**more: Any) -> dict[str, Any]:
    plain = {"application": "cephfs", "size": 3, "min_size": 2, "rule": "replicated_rule", "pg_num": 8}
    files = {"name": "shares", "metadata_pool": "names", "data_pool": "files", "max_mds": 1, **more}
    return changed(
        pools=[{**plain, "name": name} for name in ("names", "files", "more")], rules=[], filesystems=[files]
    )


def test_a_file_system_is_made_on_its_pools_and_its_servers_are_kept(io):
    assert "create file system shares" in converge(io, _with_files(max_mds=2))
    assert io.cluster.files["shares"] == {"fs_name": "shares", "metadata_pool": 1, "data_pools": [2], "max_mds": 2}
    assert not planned(io, _with_files(max_mds=2))
    assert converge(io, _with_files()) == ["update file system shares"]
    assert io.cluster.files["shares"]["max_mds"] == 1


def test_a_file_system_does_not_change_its_pools(io):
    converge(io, _with_files())
    (finding,) = planned(io, _with_files(data_pool="more")).errors
    assert finding.code == "ceph_cluster.file-system"
    assert "names and files" in finding.what


def test_the_administrators_key_is_changed_by_a_monitors_own(io):
    admin = {"entity": "client.admin", "key": NEW_KEY, "caps": ceph.ADMIN_CAPS}
    io.cluster.auth["client.admin"] = {"key": KEY, "caps": dict(ceph.ADMIN_CAPS)}
    io.refused = True
    assert ceph_cluster.read(io, ceph_cluster.question(changed()))["reachable"] is False
    io.files["/var/lib/ceph/mon/ceph-one/keyring"] = ""
    assert "update client.admin" in converge(io, changed(keys=[admin]))
    assert io.entities == ["mon."] * 2
    assert io.cluster.auth["client.admin"] == {"key": NEW_KEY, "caps": dict(ceph.ADMIN_CAPS)}


def test_no_keyring_of_the_administrator_is_needed_where_a_monitor_is(io):
    keyring = "/var/lib/ceph/mon/ceph-one/keyring"
    io.files = {"/etc/ceph/ceph.conf": ""}
    assert ceph_cluster.read(io, ceph_cluster.question(changed()))["reason"] == "It is not set up yet."
    io.files[keyring] = ""
    admin = {"entity": "client.admin", "key": KEY, "caps": ceph.ADMIN_CAPS}
    assert "create client.admin" in converge(io, changed(keys=[admin]))
    assert io.given == [keyring] * 2
    assert not planned(io, changed(keys=[admin], remove_osds=[{"uuid": "gone", "name": "one:/dev/sdx"}]))
    assert io.given == [keyring] * 3


def test_the_manager_is_asked_by_the_administrators_key_which_a_monitor_tells(io):
    keyring = "/var/lib/ceph/mon/ceph-one/keyring"
    io.files = {"/etc/ceph/ceph.conf": "", keyring: ""}
    io.cluster.auth["client.admin"] = {"key": KEY, "caps": dict(ceph.ADMIN_CAPS)}
    ceph_cluster.read(io, ceph_cluster.question(changed(remove_osds=[LEAVING])))
    assert list(zip(io.entities, io.given, strict=True)) == [("mon.", keyring), ("client.admin", KEY)]
    assert "client.admin" not in repr(io.files)


def test_a_pool_that_nobody_described_is_made_and_then_left_as_it_is(io):
    assert "create pool images" in converge(io, with_pool(as_found=True))
    assert not planned(io, with_pool(as_found=True, pg_num=64))
    assert planned(io, with_pool(pg_num=64)).summary() == ["update pool images"]


def test_of_all_keys_of_a_cluster_only_those_that_are_wanted_are_asked_for(io):
    io.cluster.auth |= {f"client.share{number}": {"key": KEY, "caps": {"mds": "allow r"}} for number in range(300)}
    planned(io, WANTED)
    assert io.cluster.asked == ["client.glance"]


def test_a_key_that_the_cluster_does_not_tell_is_not_made_anew(io):
    converge(io, WANTED)
    ask = io.cluster.ask
    io.cluster.ask = lambda prefix, **more: (-errno.EACCES, None, "no") if prefix == "auth get" else ask(prefix, **more)
    plan = planned(io, WANTED)
    assert plan.summary() == ["wait for the cluster"]
    assert "auth get client.glance" in plan.changes[0].after
