# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import values as ceph
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import secrets
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import SECRET_FORMS

OSD = "0f2e9a6c-9a3b-4d4e-8a67-0a1f7a5a9c11"
FSID = "6d0c9f84-3b7a-4a55-9e5a-0b8f7a3f4a11"


def label(osd_uuid: str = OSD, description: str = "main", **meta: str) -> bytes:
    """The first 4 KiB of a disk as BlueStore writes them."""

    def text(value: str) -> bytes:
        return struct.pack("<I", len(value)) + value.encode()

    body = uuid.UUID(osd_uuid).bytes + struct.pack("<QII", 8 << 30, 1, 2) + text(description)
    body += struct.pack("<I", len(meta)) + b"".join(text(part) for pair in meta.items() for part in pair)
    head = f"bluestore block device\n{osd_uuid}\n".encode() + struct.pack("<BBI", 2, 1, len(body))
    return (head + body).ljust(ceph.LABEL_BYTES, b"\0")


COMPLETE = {"ceph_fsid": FSID, "whoami": "3", "mkfs_done": "yes", "osd_key": "AQsecret", "ready": "ready"}


def test_a_key_has_the_form_that_ceph_reads():
    key = ceph.make_key(bytes(range(16)), 1_700_000_000)
    assert struct.unpack("<hIIH", base64.b64decode(key)[:12]) == (1, 1_700_000_000, 0, 16)
    assert base64.b64decode(key)[12:] == bytes(range(16))
    assert key.startswith("AQ")
    assert ceph.is_key(key)


@pytest.mark.parametrize("text", ["", "AQ==", "not base64!", base64.b64encode(bytes(28)).decode(), "A" * 40])
def test_what_is_no_key_is_told(text):
    assert not ceph.is_key(text)


def test_keys_of_daemons_follow_from_the_root_and_differ():
    keys = {ceph.derived_key(root, name) for root in ("one", "two") for name in ("mgr.a", "mgr.b")}
    assert len(keys) == 4
    assert all(map(ceph.is_key, keys))
    assert ceph.derived_key("one", "mgr.a") in keys


def test_made_keys_are_strong_and_of_their_form():
    forms = {"ceph_admin_key": SECRET_FORMS["ceph_key"], "ceph_fsid": SECRET_FORMS["uuid"]}
    made = secrets.complete({}, forms)
    assert ceph.is_key(made["ceph_admin_key"])
    assert str(uuid.UUID(made["ceph_fsid"])) == made["ceph_fsid"]
    assert secrets.weaknesses(made, forms) == {}
    assert set(secrets.weaknesses({"ceph_admin_key": "password", "ceph_fsid": "lab"}, forms)) == set(forms)


def test_a_keyring_is_as_ceph_writes_it():
    text = ceph.keyring({"client.a": "KEY"}, {"client.a": {"mon": "profile rbd"}})
    assert text == '[client.a]\n\tkey = KEY\n\tcaps mon = "profile rbd"\n'


GOLDEN = [
    ("mon", "profile rbd"),
    ("osd", "profile rbd pool=images"),
    ("osd", "profile rbd pool=volumes, profile rbd pool=vms, profile rbd-read-only pool=images"),
    ("mgr", "profile rbd pool=volumes, profile rbd pool=vms"),
    ("mon", "allow r"),
    ("mgr", "allow rw"),
    ("mon", "allow r, allow rw fsname=data"),
    ("osd", "allow rwx pool=backups namespace=one"),
    ("osd", "allow rw tag cephfs data=share"),
    ("mds", "allow rwps fsname=share path=/home"),
]


@pytest.mark.parametrize(("service", "text"), GOLDEN)
def test_rights_that_ceph_understands_pass(service, text):
    assert ceph.caps_problem(service, text) == ""


@pytest.mark.parametrize(
    ("service", "text"),
    [
        ("mon", "allow *"), ("osd", "allow rwx, allow * pool=x"), ("osd", "allow rw tag cephfs *=*"),
        ("mon", "profile rdb"),
        ("osd", "profile rbd pool"), ("osd", "alow rwx"), ("mon", "rw"), ("osd", "allow rwz pool=a"), ("mon", ""),
        ("mon", "profile mgr"), ("mon", "profile osd"), ("mons", "allow r"), ("mon", "allow any"), ("mds", "allow all"),
        ("osd", "profile rbd poool=images"), ("mon", "profile bootstrap-osd"), ("osd", "allow rwx pool=a;"),
    ],
)  # fmt: skip
def test_rights_that_are_wrong_or_too_many_are_told(service, text):
    assert ceph.caps_problem(service, text)


def test_pools_are_found_in_rights():
    assert ceph.pools_in("profile rbd pool=volumes, profile rbd-read-only pool=images") == ["volumes", "images"]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("896M", "size", "939524096"), ("896 MiB", "size", "939524096"), (939524096, "size", "939524096"),
        ("4G", "size", "4294967296"), (True, "bool", "true"), ("1", "bool", "true"), ("no", "bool", "false"),
        ("0", "bool", "false"), ("10min", "secs", "600"), ("1h 30m", "secs", "5400"), (90, "secs", "90"),
        ("1K", "uint", "1000"), ("1Ki", "uint", "1024"), ("-5", "int", "-5"), (0.05, "float", "0.050000"),
        ("0.05", "float", "0.050000"), ("on", "str", "on"), (" x ", "str", "x"), ("250", "millisecs", "250"),
    ],
)  # fmt: skip
def test_values_are_canonical(value, kind, text):
    assert ceph.canonical(value, kind) == text
    assert ceph.canonical(text, kind) == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [("much", "size"), ("-1", "uint"), ("maybe", "bool"), ("10 lightyears", "secs"), ("x", "float"), ("", "size")],
)
def test_values_of_the_wrong_type_are_refused(value, kind):
    with pytest.raises(ValueError, match=r"\w"):
        ceph.canonical(value, kind)


def test_a_label_is_read_without_its_key():
    found = ceph.parse_label(label(**COMPLETE))
    assert found == {
        "osd_uuid": OSD, "description": "main", "ceph_fsid": FSID, "whoami": 3, "complete": True,
    }  # fmt: skip
    assert ceph.parse_label(label(**{**COMPLETE, "mkfs_done": ""}))["complete"] is False
    assert ceph.parse_label(label(description="bluefs db"))["whoami"] is None


@given(st.binary(max_size=200))
def test_a_label_never_breaks_the_reader(rest):
    assert ceph.parse_label(rest) is None or rest.startswith(b"bluestore")
    assert ceph.parse_label(b"bluestore block device\n" + rest) is not None


def test_an_osd_has_one_uuid_for_a_place():
    assert ceph.osd_uuid(FSID, "a", "/dev/x") == ceph.osd_uuid(FSID, "a", "/dev/x")
    assert ceph.osd_uuid(FSID, "a", "/dev/x") != ceph.osd_uuid(FSID, "b", "/dev/x")


def status(up, **states):
    return {
        "health": {"status": "HEALTH_OK"},
        "osdmap": {"num_osds": 3, "num_up_osds": up, "num_in_osds": 3},
        "pgmap": {"pgs_by_state": [{"state_name": name, "count": count} for name, count in states.items()]},
    }


@pytest.mark.parametrize(
    ("answer", "clean"),
    [
        (status(3, **{"active+clean": 97}), True),
        (status(3, **{"active+clean": 96, "active+clean+scrubbing": 1}), True),
        (status(2, **{"active+clean": 97}), False),
        (status(3, **{"active+clean": 90, "active+undersized+degraded": 7}), False),
        (status(3), False),
    ],
)
def test_a_cluster_is_clean_when_all_of_it_is(answer, clean):
    assert ceph.status_summary(answer)["clean"] is clean


UP = [{"osd": 0, "up_from": 8}, {"osd": 1, "up_from": 9}, {"osd": 2, "up_from": 75}]


def group(reported, *osds, acting=()):
    return {"reported_epoch": reported, "up": list(osds), "acting": list(acting or osds)}


@pytest.mark.parametrize(
    ("groups", "since"),
    [
        ([group(80, 0, 1, 2), group(75, 2, 0)], True),
        ([group(80, 0, 1, 2), group(70, 1, 2, 0)], False),  # clean, as it was before the last OSD went and returned
        ([group(70, 0, 1)], True),  # that OSD is none of its own
        ([group(70, 0, 1, acting=[0, 2])], False),
        ([group(70, 0, 2147483647)], True),  # no OSD at all
        ([group(70)], True),
    ],
)
def test_what_is_said_of_a_group_counts_from_the_return_of_its_osds(groups, since):
    assert ceph.told_since_return(UP, groups) is since


def test_what_is_granted_is_the_same_in_any_order_and_not_with_less():
    caps = {"mon": "profile rbd", "osd": "profile rbd pool=a, profile rbd-read-only pool=b"}
    assert ceph.same_caps(caps, {**caps, "osd": "profile rbd-read-only pool=b,  profile rbd pool=a"})
    assert not ceph.same_caps(caps, {**caps, "osd": "profile rbd pool=a"})
