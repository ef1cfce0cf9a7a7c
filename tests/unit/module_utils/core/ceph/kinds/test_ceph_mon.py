# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import values as ceph
from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.kinds import ceph_mon
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result

FSID = "6d0c9f84-3b7a-4a55-9e5a-0b8f7a3f4a11"
OTHER = "11111111-3b7a-4a55-9e5a-0b8f7a3f4a11"
NAMES = ("one", "two", "three")
EMPTY = {"store": False, "fsid": None, "formed": None}
HERE = {"store": True, "fsid": FSID, "formed": None}
KEY = ceph.make_key(bytes(range(16)))


def wanted(**more: Any) -> dict[str, Any]:
    return {
        "fsid": FSID,
        "name": "one",
        "address": "192.0.2.1",
        "monitors": [{"name": name, "address": f"192.0.2.{place}"} for place, name in enumerate(NAMES, 1)],
        "port": 3300,
        "keys": [{"entity": "mon.", "key": KEY, "caps": {"mon": "allow *"}}],
        **more,
    }


def joined(
    own: dict[str, Any], two: dict[str, Any] = EMPTY, three: dict[str, Any] = EMPTY, **disk: Any
) -> dict[str, Any]:
    answers: dict[str, Any] = {
        name: {ceph_mon.STEP: state} for name, state in zip(NAMES, (own, two, three), strict=True)
    }
    if disk:
        answers["two"][ceph_mon.OSD_STEP] = {"disks": {"/dev/x": {"label": disk}, "/dev/y": {"label": None}}}
    return ceph_mon.join("one", answers)


def test_without_any_store_or_disk_a_cluster_begins():
    plan = ceph_mon.plan(joined(EMPTY), wanted())
    assert plan.summary() == ["create /var/lib/ceph/mon/ceph-one"]
    assert not plan.errors
    assert plan.changes[0].data["bootstrap"] is True
    assert KEY not in repr(plan.diff())


def test_a_run_cut_short_among_the_first_monitors_goes_on_beginning():
    plan = ceph_mon.plan(joined(EMPTY, HERE), wanted())
    assert plan.changes[0].data["bootstrap"] is True


def test_a_monitor_that_comes_later_joins():
    plan = ceph_mon.plan(joined(EMPTY, HERE, {**HERE, "formed": FSID}), wanted())
    assert plan.changes[0].data["bootstrap"] is False
    assert not plan.errors


def test_a_disk_of_the_cluster_forbids_to_begin_it_anew():
    plan = ceph_mon.plan(joined(EMPTY, ceph_fsid=FSID), wanted())
    assert [finding.code for finding in plan.errors] == ["ceph_mon.lost"]
    assert "two:/dev/x" in plan.errors[0].what


def test_an_osd_on_volumes_forbids_it_too():
    answers: dict[str, Any] = {name: {ceph_mon.STEP: EMPTY} for name in NAMES}
    part = {"whoami": 4, "osd_uuid": "u", "ceph_fsid": FSID, "part": "block", "encrypted": False}
    answers["two"][ceph_mon.OSD_STEP] = {"disks": {"/dev/x": {"label": None}}, "lvm": {"8:16": part}}
    plan = ceph_mon.plan(ceph_mon.join("one", answers), wanted())
    assert [finding.code for finding in plan.errors] == ["ceph_mon.lost"]
    assert "two:osd.4" in plan.errors[0].what


def test_a_disk_of_another_cluster_does_not():
    assert not ceph_mon.plan(joined(EMPTY, ceph_fsid=OTHER), wanted()).errors


def test_all_stores_lost_after_it_was_formed_is_refused():
    plan = ceph_mon.plan(joined(EMPTY, {**EMPTY, "formed": FSID}), wanted())
    assert [finding.code for finding in plan.errors] == ["ceph_mon.lost"]


def test_a_silent_monitor_is_no_absent_one():
    current = joined(EMPTY)
    del current["peers"]["three"]
    assert [finding.code for finding in ceph_mon.plan(current, wanted()).errors] == ["ceph_mon.silent"]


def test_a_store_of_another_cluster_is_refused_and_an_own_one_left():
    assert not ceph_mon.plan(joined(HERE), wanted())
    assert not ceph_mon.plan(joined({**HERE, "fsid": None}), wanted())
    assert [f.code for f in ceph_mon.plan(joined({**HERE, "fsid": OTHER}), wanted()).errors] == ["ceph_mon.foreign"]


class FakeHost:
    def __init__(self, *addresses: str) -> None:
        self.addresses, self.files, self.commands, self.renamed = addresses, {}, [], []
        self.answer = Result(0, "", "")

    def has_address(self, address: str) -> bool:
        return address in self.addresses

    def make_directory(self, path: str, **access: str) -> None:
        self.files[path] = access

    def write(self, path: str, content: str, **access: str) -> None:
        self.files[path] = (content, access)

    def rename(self, path: str, new: str) -> None:
        self.renamed.append((path, new))

    def run(self, argv: list[str], **options: Any) -> Result:
        self.commands.append(list(argv))
        return self.answer if argv[0].endswith("/ceph") else Result(0, "", "")


def test_a_store_gets_its_name_when_it_is_whole():
    io = FakeHost("192.0.2.1")
    ceph_mon.apply(io, ceph_mon.plan(joined(EMPTY), wanted()))
    programs = [argv[0].rpartition("/")[2] for argv in io.commands]
    assert programs == ["rm", "monmaptool", "chown", "ceph-mon", "rm"]
    assert "[v2:192.0.2.3:3300]" in io.commands[1]
    assert io.renamed == [("/var/lib/ceph/mon/holdfast-one/store", "/var/lib/ceph/mon/ceph-one")]
    assert not any(KEY in word for argv in io.commands for word in argv)
    content, access = io.files["/var/lib/ceph/mon/holdfast-one/keyring.new"]
    assert KEY in content
    assert access["mode"] == "0600"


def test_a_public_network_that_is_not_there_is_refused_before_anything_is_made():
    io = FakeHost("198.51.100.1")
    with pytest.raises(HoldfastError, match=r"192\.0\.2\.1, its address on Ceph's public network"):
        ceph_mon.apply(io, ceph_mon.plan(joined(EMPTY), wanted()))
    assert not io.commands


def test_joining_a_cluster_that_does_not_answer_fails_without_a_store():
    io = FakeHost("192.0.2.1")
    io.answer = Result(1, "", "timed out")
    with pytest.raises(HoldfastError, match="does not answer"):
        ceph_mon.apply(io, ceph_mon.plan(joined(EMPTY, HERE), wanted(bootstrap=False)))
    assert not io.renamed
    assert io.commands[-1] == ["/usr/bin/rm", "-rf", "--", "/var/lib/ceph/mon/holdfast-one"]


def test_who_joins_asks_by_the_key_of_monitors_and_has_no_other():
    io, admin = FakeHost("192.0.2.1"), ceph.make_key(bytes(range(2, 18)))
    keys = [*wanted()["keys"], {"entity": "client.admin", "key": admin, "caps": ceph.ADMIN_CAPS}]
    ceph_mon.apply(io, ceph_mon.plan(joined(EMPTY, HERE), wanted(bootstrap=False, keys=keys)))
    (asking,) = (argv for argv in io.commands if argv[0] == "/usr/bin/ceph")
    keyring = "/var/lib/ceph/mon/holdfast-one/keyring.new"
    assert asking[1:5] == ["--name", "mon.", "--keyring", keyring]
    content, _ = io.files[keyring]
    assert (KEY in content, admin in content) == (True, False)


def test_another_key_of_monitors_is_refused_and_not_rotated():
    other = ceph.make_key(bytes(range(1, 17)))
    plan = ceph_mon.plan({**HERE, "key": ceph.digest(other)}, wanted())
    assert [finding.code for finding in plan.errors] == ["ceph_mon.key"]
    assert not ceph_mon.plan({**HERE, "key": ceph.digest(KEY)}, wanted()).findings


class StoreHost:
    """A host with a monitor's store."""

    def __init__(self, keyring: str) -> None:
        self.keyring = keyring

    def exists(self, path: str) -> bool:
        return path.endswith("/store.db")

    def read_text(self, path: str) -> str | None:
        return self.keyring if path.endswith("/keyring") else None


def test_the_key_of_a_monitor_is_read_as_a_digest():
    found = ceph_mon.read(StoreHost(f'[mon.]\n\tkey = {KEY}\n\tcaps mon = "allow *"\n'), {"name": "one"})
    assert found["key"] == ceph.digest(KEY)
