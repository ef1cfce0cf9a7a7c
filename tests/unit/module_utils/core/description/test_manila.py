# SPDX-License-Identifier: Apache-2.0
"""An exercise: manila with three types of back ends is data alone, and the mechanism serves it as it stands."""

from __future__ import annotations

import collections
import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import descriptions, secrets_of
from ansible_collections.holdfast.storage.plugins.module_utils.core import flows
from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.clients import clients
from ansible_collections.holdfast.storage.plugins.module_utils.core.config import parse_ini
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.claims import claims
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.load import Description, backends_of
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.flows.rows import _balanced
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.domain import Domain
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.draft import Draft, DraftHost
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model, Network
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import EXPRESSIONS
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.inventory_cases import ROOT

BACKENDS = [
    {"name": "native", "type": "cephfs", "filesystem": "shares"},
    {"name": "gateway", "type": "cephfs_nfs", "filesystem": "shares", "cluster": "ganesha", "user": "manila-nfs"},
    {"name": "local", "type": "lvm", "volume_group": "shares"},
]
VARIABLES = {
    "haproxy_address": "10.0.0.10",
    "holdfast_region": "RegionOne",
    "manila_workers": 2,
    "manila_threads": 1,
    "manila_notifications": False,
    "manila_conf_overrides": {},
}
GROUPS = frozenset({"manila_api", "manila_share", "keystone", "mariadb", "rabbitmq", "memcached", "haproxy", "etcd"})


@pytest.fixture
def manila(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Description:
    """The description, in a collection that has its rows of the flow table and nothing else of it."""
    rows = {row.id: row for row in _balanced("manila_api", "file", 8786, "manila-api", "Shared file systems")}
    monkeypatch.setattr(flows, "_BY_ID", {**flows._BY_ID, **rows})
    shutil.copytree(ROOT / "tests/cases/descriptions/manila", tmp_path / "manila")
    shutil.copytree(ROOT / "roles/holdfast", tmp_path / "holdfast")
    return next(found for found in descriptions(tmp_path) if found.name == "manila")


def deployed(manila: Description) -> dict[str, Any]:
    addresses = {"mgmt": "10.0.0.11", "storage": "10.0.1.11"}
    host = Host("control1", GROUPS, addresses, {}, {**VARIABLES, "manila_backends": BACKENDS})
    model = Model("t", {"mgmt": Network("mgmt", "br-mgmt", "10.0.0.0/24")}, {"control1": host}, VARIABLES)
    secrets = collections.defaultdict(lambda: "s3cret")
    services = Services([manila], model, secrets, expressions=EXPRESSIONS)
    components = list(services.components(host))
    return {
        "files": {entry["path"]: entry.get("content", "") for part in components for entry in part["files"]},
        "packages": {name for part in components for name in part.get("packages", ())},
        "units": {unit["name"]: unit for part in components for unit in part.get("units", ())},
    }


def test_it_loads_and_renders(manila: Description) -> None:
    found = deployed(manila)
    sections = parse_ini(found["files"]["/etc/manila/backends.conf"])
    assert sections["DEFAULT"] == {"enabled_share_backends": "native,gateway,local"}
    assert sections["native"]["cephfs_auth_id"] == "manila-native"
    assert "cephfs_nfs_cluster_id" not in sections["native"]
    assert sections["gateway"]["cephfs_protocol_helper_type"] == "NFS"
    assert sections["gateway"]["cephfs_nfs_cluster_id"] == "ganesha"
    assert sections["local"]["lvm_share_export_ips"] == "10.0.1.11"
    assert {part["driver_handles_share_servers"] for name, part in sections.items() if name != "DEFAULT"} == {"false"}
    assert set(found["units"]) == {"manila-api.service", "manila-share.service"}
    assert found["units"]["manila-api.service"]["listens"] == ["10.0.0.11:8786/healthcheck"]
    assert "/etc/ceph/ceph.client.manila-nfs.keyring" in found["units"]["manila-share.service"]["inputs"]
    assert {"manila-share", "lvm2"} <= found["packages"]


def test_what_it_uses_follows_from_it(manila: Description) -> None:
    services = (manila.content,)
    rows = {row.id: row for row in flows.complete(Domain(services).uses)}
    assert {"manila_api", "manila_share"} <= set(rows["mariadb"].clients) & set(rows["rabbitmq"].clients)
    assert "manila_api" not in rows["memcached"].clients
    assert {"manila_database_password", "manila_identity_password"} <= set(secrets_of([manila]))


def test_its_back_ends_are_clients_of_ceph_with_rights_of_their_own(manila: Description) -> None:
    own = DraftHost("control1", GROUPS, {"manila_backends": BACKENDS})
    domain = Domain((manila.content,), backends_of([manila]), claims)
    draft = Draft(hosts={"control1": own}, groups={}, variables=VARIABLES, domain=domain)
    found = clients(claims(draft, strict=True), lambda group: True)
    assert {name: client.caps for name, client in found.items()} == {
        "manila-native": {"mon": "allow r", "mgr": "allow rw"},
        "manila-nfs": {"mon": "allow r", "mgr": "allow rw"},
    }
    assert {name: client.groups for name, client in found.items()} == {
        name: {"manila_share": "manila"} for name in found
    }
