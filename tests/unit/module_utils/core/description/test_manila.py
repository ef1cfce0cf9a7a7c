# SPDX-License-Identifier: Apache-2.0
"""An exercise: manila with three types of back ends is data alone, and the mechanism serves it as it stands.

A collection with one row more in the flow table and one role more checks an inventory, and renders its deployment.
"""

from __future__ import annotations

import copy
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import (
    descriptions,
    domain_of,
    secrets_of,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core import flows
from ansible_collections.holdfast.storage.plugins.module_utils.core.config import parse_ini
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.load import Description
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding
from ansible_collections.holdfast.storage.plugins.module_utils.core.flows import rows
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import declarations, schema
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.domain import Domain
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import rendering
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import EXPRESSIONS, ORDER
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

BACKENDS = [
    {"name": "native", "type": "cephfs", "filesystem": "shares"},
    {"name": "gateway", "type": "cephfs_nfs", "filesystem": "shares", "cluster": "ganesha", "user": "manila-nfs"},
    {"name": "local", "type": "lvm", "volume_group": "shares"},
]
# Its API and its shares on two hosts of ceph.yml, and a lock manager.
DEPLOYED: dict[str, Any] = {
    "hosts/storage2/manila_workers": 3,
    "hosts/storage1/manila_backends": BACKENDS,
    "groups/manila_api": ["storage2"],
    "groups/manila_share": ["storage1"],
    "groups/etcd": ["control1"],
}


@dataclass(frozen=True)
class Collection:
    """What checking and rendering know, with manila among it."""

    described: tuple[Description, ...]
    declared: schema.RoleVariables
    domain: Domain

    def build(self, **changes: Any) -> tuple[Model | None, list[Finding]]:
        """The model and the findings of the deployment; changes by path, ``...`` for what is taken out."""
        given = {**DEPLOYED, **changes}
        gone = [path for path, value in changes.items() if value is ... and path not in DEPLOYED]
        kept = {path: value for path, value in given.items() if value is not ...}
        content = cases.changed(copy.deepcopy({"base": "ceph", "set": kept, "remove": gone}))
        raw = cases.raw(content, self.declared, known_secrets=secrets_of(self.described))
        return cases.build(raw, known=self.declared, knows=self.domain)

    def errors(self, changes: dict[str, Any]) -> list[str]:
        """Code and place of each error."""
        _, findings = self.build(**changes)
        return [f"{finding.code} {finding.where}" for finding in findings if finding.severity == "error"]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """The collection with the rows of manila's API in the flow table, and its role."""
    more = {row.id: row for row in rows._balanced("manila_api", "file", 8786, "manila-api", "Shared file systems")}
    roles = tmp_path_factory.mktemp("manila") / "roles"
    shutil.copytree(cases.ROOT / "roles", roles)
    shutil.copytree(cases.ROOT / "tests/cases/descriptions/manila", roles / "manila")
    descriptions()  # what is kept of the collection itself knows nothing of it
    table = rows.FLOWS
    with pytest.MonkeyPatch.context() as patch:
        # The table is one constant: wherever it was imported, it is as if it had been written with these rows.
        for module in [module for name, module in sys.modules.items() if ".holdfast.storage." in name]:
            if getattr(module, "FLOWS", None) is table:
                patch.setattr(module, "FLOWS", (*table, *more.values()))
        patch.setattr(flows, "_BY_ID", {**flows._BY_ID, **more})
        described = descriptions(roles)
        yield Collection(described, declarations.load_roles(roles), domain_of(described))


@pytest.fixture(scope="module")
def model(collection: Collection) -> Model:
    found, findings = collection.build()
    assert found, findings
    return found


@pytest.fixture(scope="module")
def rendered(collection: Collection, model: Model) -> dict[str, str]:
    """What a run would put on the hosts, ask and plan, by name."""
    forms = {**secrets_of(collection.described), **collection.domain.named_secrets(model)}
    secrets = {name: form.placeholder(name) if form else "s3cret" for name, form in forms.items()}
    services = Services(collection.described, model, secrets, expressions=EXPRESSIONS)
    return dict(rendering.render(ORDER, model, services, secrets))


def test_its_inventory_is_right(collection: Collection, model: Model) -> None:
    _, findings = collection.build()
    assert [finding for finding in findings if finding.severity == "error"] == []
    advised = " ".join(finding.what for finding in findings if finding.code == "groups.single")
    assert "manila_api" in advised, "of its API there could be more"
    assert "manila_share" not in advised, "its back ends are for one host, whatever keys they have"
    assert Model.from_dict(json.loads(json.dumps(model.as_dict()))) == model


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        (
            {"hosts/storage1/manila_backends/2": {"name": "local", "type": "lvm"}},
            ["manila.backend-incomplete storage1: manila_backends[2].volume_group"],
        ),
        (
            {"hosts/storage1/manila_backends/0/volume_group": "shares"},
            ["manila.backend-mixed storage1: manila_backends[0].volume_group"],
        ),
        (
            {"hosts/storage1/manila_backends/0/type": "cephfs_nsf"},
            ["schema.value storage1: manila_backends[0].type"],
        ),
        (
            {"hosts/storage1/manila_backends/1/clutser": "x"},
            ["schema.unknown-key storage1: manila_backends[1].clutser"],
        ),
        ({"hosts/storage2/manila_worker": 3}, ["inventory.unknown-variable storage2: manila_worker"]),
        ({"hosts/storage2/manila_workers": 0}, ["schema.range storage2: manila_workers"]),
        ({"hosts/storage1/manila_backends": ...}, ["inventory.required storage1: manila_backends"]),
        (
            {"hosts/storage2/manila_conf_overrides": {"DEFAULT": {"transport_url": "rabbit://x"}}},
            ["overrides.protected storage2: manila_conf_overrides.DEFAULT.transport_url"],
        ),
        ({"groups/rabbitmq": ...}, ["groups.missing all hosts: rabbitmq"]),
        ({"groups/manila_api": ..., "groups/manila_apis": ["storage2"]}, ["groups.misspelt all hosts: manila_apis"]),
    ],
)
def test_a_wrong_inventory_is_refused_at_its_place(
    collection: Collection, changes: dict[str, Any], errors: list[str]
) -> None:
    assert sorted(collection.errors(changes)) == sorted(errors)


def test_its_files_and_units_are_on_its_hosts(model: Model, rendered: dict[str, str]) -> None:
    sections = parse_ini(rendered["storage1/files/etc/manila/backends.conf"])
    assert sections["DEFAULT"] == {"enabled_share_backends": "native,gateway,local"}
    assert sections["native"]["cephfs_auth_id"] == "manila-native"
    assert "cephfs_nfs_cluster_id" not in sections["native"]
    assert sections["gateway"]["cephfs_protocol_helper_type"] == "NFS"
    assert sections["gateway"]["cephfs_nfs_cluster_id"] == "ganesha"
    assert sections["local"]["lvm_share_export_ips"] == model.hosts["storage1"].addresses["storage"]
    assert {part["driver_handles_share_servers"] for name, part in sections.items() if name != "DEFAULT"} == {"false"}
    assert "manila_database_password" in rendered["storage2/files/etc/manila/manila.conf"]
    assert parse_ini(rendered["storage2/files/etc/manila/holdfast-uwsgi.ini"])["uwsgi"]["processes"] == "3"
    units = {unit["name"]: unit for unit in json.loads(rendered["storage2/wanted/services/unit.json"])["units"]}
    assert units["manila-api.service"]["listens"] == ["172.29.236.22:8786/healthcheck"]
    assert "/etc/ceph/ceph.client.manila-nfs.keyring" in rendered["storage1/wanted/services/unit.json"]
    assert "manila-share.service" not in rendered["storage2/wanted/services/unit.json"]


def test_it_is_planned_for_a_bare_host(rendered: dict[str, str]) -> None:
    planned = {host: rendered[f"{host}/plan/services/file.txt"].splitlines() for host in ("storage1", "storage2")}
    assert "create /etc/manila/holdfast-uwsgi.ini" in planned["storage2"]
    assert "create /etc/manila/backends.conf" in planned["storage1"]
    assert not [name for name, text in rendered.items() if "manila" in text and "Not without the host" in text]


def test_what_it_uses_lets_it_in(model: Model, rendered: dict[str, str]) -> None:
    table = {row.id: row for row in flows.table(model)}
    assert {"manila_api", "manila_share"} <= set(table["mariadb"].clients) & set(table["rabbitmq"].clients)
    assert "manila_api" not in table["memcached"].clients
    assert "manila_share" in table["ceph_mon"].clients
    walls = {host: rendered[f"{host}/files/etc/holdfast/firewall.nft"].splitlines() for host in model.hosts}
    for rule, where in {
        "ip daddr 172.29.236.22 tcp dport 8786 counter name manila_api accept": {"storage2"},
        "ip daddr 172.29.236.10 tcp dport 8786 counter name manila_api_frontend accept": {"control1"},
    }.items():
        assert {host for host, lines in walls.items() if any(line.endswith(rule) for line in lines)} == where
    front = rendered["control1/files/etc/haproxy/haproxy.cfg"]
    assert "172.29.236.10:8786" in front
    assert "172.29.236.22:8786" in front


def test_it_has_a_database_a_queue_and_a_place_in_the_catalog(collection: Collection, rendered: dict[str, str]) -> None:
    assert {"manila_database_password", "manila_identity_password"} <= set(secrets_of(collection.described))
    wanted = {name: text for name, text in rendered.items() if name.startswith("control1/wanted/")}
    for step in ("database", "message_queue", "catalog"):
        (text,) = (text for name, text in wanted.items() if name.endswith(f"/{step}.json"))
        assert "manila" in text, step
    migrations = [name.partition("/")[0] for name, text in rendered.items() if "manila-manage" in text]
    assert set(migrations) == {"storage2"}


def test_its_back_ends_are_clients_of_ceph_with_rights_of_their_own(rendered: dict[str, str]) -> None:
    (cluster,) = (text for name, text in rendered.items() if name.endswith("/wanted/ceph_cluster/ceph_cluster.json"))
    caps = {key["entity"]: key["caps"] for key in json.loads(cluster)["keys"]}
    assert {name: given for name, given in caps.items() if "manila" in name} == {
        "client.manila-native": {"mon": "allow r", "mgr": "allow rw"},
        "client.manila-nfs": {"mon": "allow r", "mgr": "allow rw"},
    }
    keyrings = [name for name in rendered if "/files/etc/ceph/ceph.client.manila" in name]
    assert {name.partition("/")[0] for name in keyrings} == {"storage1"}
