# SPDX-License-Identifier: Apache-2.0
"""What the acceptance tests are told of a deployment."""

from __future__ import annotations

import re

from ansible_collections.holdfast.storage.plugins.module_utils.core.config import parse_ini, render_ini
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import tempest
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


def told(name):
    content = cases.good(name)
    model, _ = cases.build(cases.raw(content, **content.get("raw", {})))
    return parse_ini(render_ini(tempest.configuration(model, CLOUD, image="i", directory="/lab/tempest")))


def test_services_are_tested_where_they_are():
    assert told("block")["service_available"] == {
        "cinder": "true",
        "glance": "true",
        "swift": "true",
        "nova": "false",
        "neutron": "false",
        "horizon": "false",
    }
    assert told("lab")["service_available"]["cinder"] == "false"
    assert told("ceph")["service_available"]["swift"] == "false"


def test_the_administrator_and_the_place_come_from_the_cloud():
    sections = told("block")
    assert sections["identity"]["uri_v3"] == "https://cloud:5000/v3"
    assert sections["identity"]["ca_certificates_file"] == "/lab/ca.pem"
    assert sections["auth"]["admin_password"] == "staple"
    assert sections["volume"]["catalog_type"] == "block-storage"


def test_the_selection_is_the_realms_smoke_tests():
    chosen = re.compile(tempest.selection())
    assert chosen.search("tempest.api.volume.test_volumes_get.VolumesGetTest.test_create[id-1,smoke]")
    assert not chosen.search("tempest.api.volume.test_volumes_get.VolumesGetTest.test_create[id-1]")
    assert not chosen.search("tempest.api.compute.servers.test_servers.Test.test_create[id-1,smoke]")
    assert re.search(tempest.selection(smoke=False), "tempest.api.volume.test_x.Test.test_create[id-1]")


def test_every_exclusion_has_a_reason():
    assert all(reason.endswith(".") for reason in tempest.EXCLUDED.values())
