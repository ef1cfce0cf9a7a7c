# SPDX-License-Identifier: Apache-2.0
"""Services that are one client of Ceph, and the pools in which images have their data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import Deployment
from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import cluster as the_cluster
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

VOLUMES = {"name": "ceph", "type": "rbd", "pool": "volumes", "volume_type": {"name": "s", "default": True}}


class Secrets(dict[str, str]):
    """Every secret, of one value."""

    def get(self, name: str, default: Any = None) -> str:
        return "s3cret"

    def __missing__(self, name: str) -> str:
        return "s3cret"


def services(store: dict[str, Any], volumes: dict[str, Any], **variables: Any) -> Services:
    content = cases.good("ceph")
    content["vars"] |= {"glance_stores": [{"name": "ceph", "type": "rbd", "pool": "images", **store}], **variables}
    content["hosts"]["control1"]["cinder_backends"] = [{**VOLUMES, **volumes}]
    for group in ("cinder_api", "cinder_scheduler", "cinder_volume"):
        content["groups"][group] = ["control1"]
    model, findings = cases.build(cases.raw(content))
    assert model, findings
    return Deployment.of(model, Secrets()).services


def files(found: Services) -> dict[str, dict[str, Any]]:
    components = found.components(found.model.hosts["control1"])
    return {entry["path"]: entry for part in components for entry in part.get("files", ())}


def caps(found: Services) -> dict[str, dict[str, str]]:
    return {client["name"]: client["caps"] for client in the_cluster.client_rights(found.model)}


def test_two_services_that_are_one_client_read_a_file_each() -> None:
    found = files(services({"user": "openstack"}, {"ceph_user": "openstack"}))
    # Cinder hands on what is in the file that Ceph looks for.
    readers = {path: entry["group"] for path, entry in found.items() if "ceph.client." in path}
    assert readers == {
        "/etc/ceph/ceph.client.openstack.keyring": "cinder",
        "/etc/ceph/ceph.client.openstack.keyring-glance": "glance",
        "/etc/ceph/ceph.client.tester.keyring": "disk",
    }
    one, other = (found[f"/etc/ceph/ceph.client.openstack.keyring{end}"]["content"] for end in ("", "-glance"))
    assert one == other
    usual = "/etc/ceph/$cluster.$name.keyring"
    line = f"[client]\nkeyring = {usual},{usual}-glance,$rgw_data/keyring\n"
    assert line in found["/etc/ceph/ceph.conf"]["content"]


def test_services_with_clients_of_their_own_need_no_more_than_ceph_assumes() -> None:
    found = files(services({}, {}))
    assert {path for path in found if "ceph.client." in path} == {
        "/etc/ceph/ceph.client.cinder.keyring",
        "/etc/ceph/ceph.client.glance.keyring",
        "/etc/ceph/ceph.client.tester.keyring",
    }
    assert "[client]" not in found["/etc/ceph/ceph.conf"]["content"]


def test_overrides_of_the_section_are_laid_over() -> None:
    overrides = {"client": {"rbd_cache": False}}
    found = files(services({"user": "a"}, {"ceph_user": "a"}, ceph_conf_overrides=overrides))
    assert "keyring-glance" in found["/etc/ceph/ceph.conf"]["content"]
    assert "rbd_cache = false" in found["/etc/ceph/ceph.conf"]["content"]


@pytest.mark.parametrize(
    ("volumes", "variables"),
    [
        ({"options": {"rbd_default_data_pool": "fast"}}, {}),
        ({}, {"ceph_config": {"client.cinder": {"rbd_default_data_pool": "fast"}}}),
        ({}, {"ceph_conf_overrides": {"client.cinder": {"rbd default data pool": "fast"}}}),
    ],
)
def test_a_client_may_write_the_pool_of_its_data(volumes: dict[str, Any], variables: dict[str, Any]) -> None:
    found = caps(services({}, volumes, **variables))
    assert "profile rbd pool=fast" in found["cinder"]["osd"]
    assert "fast" not in found["glance"]["osd"]


def test_who_reads_images_may_read_the_pool_of_their_data() -> None:
    found = caps(services({}, {}, ceph_config={"client.glance": {"rbd_default_data_pool": "fast"}}))
    assert "profile rbd pool=fast" in found["glance"]["osd"]
    assert "profile rbd-read-only pool=fast" in found["cinder"]["osd"]


def test_a_data_pool_of_all_clients_is_everyones_who_keeps_images() -> None:
    found = caps(services({}, {}, ceph_config={"global": {"rbd_default_data_pool": "fast"}}))
    assert all("profile rbd pool=fast" in found[name]["osd"] for name in ("glance", "cinder"))
    assert "fast" not in found["tester"]["osd"]


def configuration(found: Services, host: str) -> str:
    components = found.components(found.model.hosts[host])
    (content,) = {
        entry["content"]
        for part in components
        for entry in part.get("files", ())
        if entry["path"].endswith("/ceph.conf")
    }
    return str(content)


def test_osds_enter_themselves_where_their_host_is_whatever_the_kernel_calls_it() -> None:
    content = cases.good("ceph")
    content["hosts"]["ceph1.dc1.example.org"] = content["hosts"].pop("storage1")
    del content["vars"]["ceph_config"]["osd/host:storage1"]
    for members in content["groups"].values():
        members[:] = ["ceph1.dc1.example.org" if name == "storage1" else name for name in members]
    model, findings = cases.build(cases.raw(content))
    assert model, findings
    found = Deployment.of(model, Secrets()).services
    line = "crush_location = root=default rack=r1 host=ceph1.dc1.example.org\n"
    assert line in configuration(found, "ceph1.dc1.example.org")
    assert "crush_location = root=default rack=r2 host=storage2\n" in configuration(found, "storage2")
    assert "crush_location" not in configuration(found, "control1")
    assert {"name": "ceph1.dc1.example.org", "type": "host", "parent": "r1", "anywhere": False} in the_cluster.wanted(
        model, found, Secrets()
    )["buckets"]


def test_osds_of_a_host_without_a_rack_are_below_the_root() -> None:
    model, findings = cases.build(
        cases.raw(cases.changed({"base": "ceph", "set": {"vars/ceph_failure_domain": "host"}}))
    )
    assert model, findings
    host = model.hosts["storage1"]
    host = replace(host, variables={**host.variables, "ceph_rack": ""})
    assert the_cluster.crush_location(host) == "root=default host=storage1"
