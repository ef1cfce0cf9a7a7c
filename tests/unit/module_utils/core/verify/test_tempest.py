# SPDX-License-Identifier: Apache-2.0
"""What the acceptance tests are told of a deployment, and which of them are run."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.config import FORMATS, parse_ini
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import CHAPTERS
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import chapter, tempest
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

CLOUD = {
    "auth": {
        "auth_url": "https://cloud:5000/v3",
        "username": "admin",
        "password": "staple",
        "project_name": "admin",
        "user_domain_name": "Default",
    },
    "region_name": "RegionOne",
    "cacert": "/lab/ca.pem",
}
KNOWN = {name: one.tests for name, one in CHAPTERS.items() if one.tests}
ABSENT = ("cinder", "glance", "swift", "nova", "neutron")


def told(name: str, **changes: Any) -> dict[str, dict[str, str]]:
    model = cases.deployed(cases.changed({"base": name, "set": changes})).model
    deployed = chapter.told(CHAPTERS, model)
    tests = [one for subject, one in KNOWN.items() if subject in deployed]
    content = tempest.configuration(model, CLOUD, tests=tests, absent=ABSENT, image="i", directory="/lab/tempest")
    return parse_ini(FORMATS["oslo"].render(content))


def test_services_are_tested_where_they_are() -> None:
    here = {"cinder": "true", "glance": "true", "swift": "true", "nova": "false", "neutron": "false"}
    assert told("block")["service_available"] == here
    assert told("lab")["service_available"] == {**here, "cinder": "false"}
    assert told("ceph")["service_available"]["swift"] == "false"


def test_what_is_absent_is_told_nothing() -> None:
    assert "volume" not in told("lab")
    assert {"image", "object-storage", "identity-feature-enabled"} <= set(told("lab"))


def test_the_administrator_and_the_place_come_from_the_cloud() -> None:
    sections = told("block")
    assert sections["identity"]["uri_v3"] == "https://cloud:5000/v3"
    assert sections["identity"]["ca_certificates_file"] == "/lab/ca.pem"
    assert sections["auth"]["admin_password"] == "staple"


def test_volumes_are_told_how_they_connect_and_whether_there_are_backups() -> None:
    assert told("block")["volume"]["storage_protocol"] == "ceph"
    assert told("block")["volume"]["catalog_type"] == "block-storage"
    assert told("block")["volume-feature-enabled"]["backup"] == "true"
    assert told("local")["volume"]["storage_protocol"] == "iSCSI"
    assert told("local")["volume-feature-enabled"]["backup"] == "false"


def test_each_subject_looks_for_its_api_in_the_deployments_region() -> None:
    sections = told("block", **{"vars/holdfast_region": "north"})
    assert {sections[name]["region"] for name in ("image", "object-storage", "volume")} == {"north"}


def test_of_object_storage_what_the_pipeline_has_is_tested() -> None:
    """Names as Swift tells them of its filters, and the filters in the pipeline."""
    path = "/etc/swift/proxy-server.conf"
    services = cases.deployed(cases.good("lab"))
    components = services.components(services.model.hosts["control1"])
    found = next(entry for component in components for entry in component.get("files", ()) if entry["path"] == path)
    filters = parse_ini(found["content"])["pipeline:main"]["pipeline"].split()
    names = {"bulk_delete": "bulk", "bulk_upload": "bulk"}
    offered = told("lab")["object-storage-feature-enabled"]["discoverable_apis"].split(",")
    assert {names.get(name, name.replace("_", "-")) for name in offered} <= set(filters)
    assert not {"crossdomain", "container_sync", "container-sync"} & {*filters, *offered}


def test_a_subject_of_a_tests_own_is_told_and_chosen() -> None:
    post = tempest.RealmTests("post", "post", lambda model: {"post": {"offices": len(model.hosts)}}, service="postman")
    model = Model("lab", {}, {"a": Host("a", frozenset({"letters"}), {}, {}, {})}, {})
    found = tempest.configuration(model, CLOUD, tests=[post], absent=["postman", "milkman"], image="", directory="/d")
    assert found["post"] == {"offices": 1}
    assert found["service_available"] == {"postman": True, "milkman": False}
    assert re.search(tempest.selection(["post"]), "tempest.api.post.test_x.Test.test_y[id-1,smoke]")


def test_the_selection_is_the_realms_smoke_tests() -> None:
    packages = [one.package for one in KNOWN.values()]
    assert packages == ["identity", "object_storage", "image", "volume"]
    chosen = re.compile(tempest.selection(packages))
    assert chosen.search("tempest.api.volume.test_volumes_get.VolumesGetTest.test_create[id-1,smoke]")
    assert not chosen.search("tempest.api.volume.test_volumes_get.VolumesGetTest.test_create[id-1]")
    assert not chosen.search("tempest.api.compute.servers.test_servers.Test.test_create[id-1,smoke]")
    assert re.search(tempest.selection(packages, smoke=False), "tempest.api.volume.test_x.Test.test_create[id-1]")
    assert not re.search(tempest.selection(["image"], smoke=False), "tempest.api.volume.test_x.Test.test_create[id-1]")


def test_all_tests_of_a_realm_are_those_of_its_plugins_too() -> None:
    tests = KNOWN["cinder"]
    chosen = re.compile(tempest.selection([tests.package], plugins=tests.plugins, smoke=False))
    for name in ("api.volume.test_volume_backup.T.test_x", "rbac.v3.test_volumes.T.test_x"):
        assert chosen.search(f"cinder_tempest_plugin.{name}[id-1]")
        assert not re.search(tempest.selection([tests.package], smoke=False), f"cinder_tempest_plugin.{name}[id-1]")
        smoke = tempest.selection([tests.package], plugins=tests.plugins)
        assert not re.search(smoke, f"cinder_tempest_plugin.{name}[id-1]")
    assert chosen.search("tempest.api.volume.test_x.T.test_y[id-1]")
    assert not chosen.search("cinder_tempest_plugin.scenario.test_snapshots.T.test_x[id-1,compute]")
    assert not chosen.search("tempest.api.image.test_x.T.test_y[id-1]")


@pytest.mark.parametrize("name", KNOWN)
def test_a_realm_has_the_word_of_verify_json(name: str) -> None:
    assert {story.id.partition(".")[0] for story in CHAPTERS[name].stories({})} == {KNOWN[name].realm}


@pytest.mark.parametrize("tests", KNOWN.values(), ids=KNOWN)
def test_an_exclusion_is_of_the_subjects_own_tests_and_has_a_reason(tests: tempest.RealmTests) -> None:
    own = re.compile(
        "|".join([rf"\^?tempest\\?\.api\\?\.{tests.package}\b", *(rf"\^?{name}\b" for name in tests.plugins)])
    )
    bad = {test: reason for test, reason in tests.excluded.items() if not own.match(test) or not reason.endswith(".")}
    assert bad == {}
