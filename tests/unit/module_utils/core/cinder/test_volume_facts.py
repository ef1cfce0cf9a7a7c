# SPDX-License-Identifier: Apache-2.0
"""What the stories of volumes are told of a deployment."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import cluster as the_cluster
from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder import stories as volume
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases


def facts(base: str, **changes: Any) -> dict[str, Any]:
    services = cases.deployed(cases.changed({"base": base, "set": {}, **changes}))
    return volume.facts(services.model, services)


def test_the_default_type_and_another_of_its_back_end_and_a_client_of_its_pool() -> None:
    assert facts("block") == {
        "type": "gold",
        "other_type": "bronze",
        "rbd": {"host": "control1", "pool": "volumes", "user": "cinder", "size": volume.VOLUME_SIZE},
        "backups": True,
        "lost_host": None,
        "ceph_host": None,
        "rbd_store": "ceph",
        "internal_image_api": {"address": "172.29.236.10", "port": 9293},
    }


def test_volumes_of_a_volume_group_have_no_client_of_rbd() -> None:
    found = facts("local")
    assert (found["type"], found["other_type"], found["rbd"], found["rbd_store"]) == ("local", None, None, None)
    assert not found["backups"]
    assert not volume.degraded(found)


def test_without_images_nobody_is_to_be_kept_from_their_api() -> None:
    remove = ["groups/glance_api", "vars/glance_stores", "vars/glance_default_store"]
    remove.append("raw/secrets/ceph_client_glance_key")
    found = facts("block", remove=remove)
    assert (found["internal_image_api"], found["rbd_store"]) == (None, None)


def test_the_host_that_is_lost_is_not_the_one_that_reads_and_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(the_cluster, "dispensable_osd_host", lambda model: model.hosts["storage3"])
    found = facts("block")
    assert found["lost_host"] == "storage3"
    assert volume.degraded(found)
    monkeypatch.setattr(the_cluster, "dispensable_osd_host", lambda model: model.hosts["control1"])
    found = facts("block")
    assert found["lost_host"] is None
    assert not volume.degraded(found)
