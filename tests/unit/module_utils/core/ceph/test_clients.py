# SPDX-License-Identifier: Apache-2.0
"""Who is a client of Ceph, from the claims of services."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.clients import Client, block_pools, clients

IMAGES = {"user": "images", "writes": ["images"], "groups": {"glance_api": "glance"}}
VOLUMES = {
    "user": "volumes",
    "writes": ["volumes"],
    "may_write": {"vms": "nova_compute"},
    "reads_of": ["glance_api"],
    "groups": {"cinder_volume": "cinder", "nova_compute": "nova"},
}
FILES = {
    "user": "manila",
    "caps": {"mon": "allow r", "mgr": "allow rw", "osd": "allow rw pool=shares"},
    "groups": {"manila_share": "manila"},
}


def made(*claims: dict[str, Any], hosts: tuple[str, ...] = ()) -> dict[str, Client]:
    return clients({"ceph": claims}, lambda group: group in hosts)


def test_block_devices_have_the_least_rights_and_images_are_read_by_who_clones_them() -> None:
    found = made(VOLUMES, IMAGES, hosts=("nova_compute",))
    assert list(found) == ["images", "volumes"], "those first whose pools others read"
    assert found["images"].caps == {
        "mon": "profile rbd",
        "osd": "profile rbd pool=images",
        "mgr": "profile rbd pool=images",
    }
    assert found["volumes"].caps == {
        "mon": "profile rbd",
        "osd": "profile rbd pool=volumes, profile rbd pool=vms, profile rbd-read-only pool=images",
        "mgr": "profile rbd pool=volumes, profile rbd pool=vms",
    }
    assert found["volumes"].tried == (["volumes", "vms"], ["images"])
    assert found["volumes"].groups == {"cinder_volume": "cinder", "nova_compute": "nova"}


def test_a_pool_that_nobody_writes_yet_is_granted_and_not_tried() -> None:
    found = made(VOLUMES)["volumes"]
    assert "profile rbd pool=vms" in found.caps["osd"]
    assert found.tried == (["volumes"], [])
    both = {**VOLUMES, "writes": ["volumes", "vms"]}
    assert made(both)["volumes"].tried == (["volumes", "vms"], []), "who keeps volumes there writes it at once"


def test_claims_of_one_user_are_one_client_that_reads_nothing_which_it_writes() -> None:
    shared = {**IMAGES, "user": "volumes"}
    found = made(VOLUMES, shared, {**VOLUMES, "writes": ["fast"]})
    assert list(found) == ["volumes"]
    assert list(found["volumes"].writes) == ["images", "volumes", "fast", "vms"]
    assert not found["volumes"].reads
    assert set(found["volumes"].groups) == {"glance_api", "cinder_volume", "nova_compute"}


def test_what_is_no_block_device_says_its_rights() -> None:
    found = made(FILES, FILES)["manila"]
    assert found.caps == {"mon": "allow r", "osd": "allow rw pool=shares", "mgr": "allow rw"}
    assert found.tried == (["shares"], [])
    assert block_pools({"ceph": (FILES, IMAGES)}) == {"images"}


def test_an_incomplete_claim_is_no_client() -> None:
    assert made({"writes": ["images"], "groups": {"glance_api": "glance"}}) == {}
    assert clients({}, lambda group: True) == {}
