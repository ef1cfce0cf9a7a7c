# SPDX-License-Identifier: Apache-2.0
"""What a deployment with shares of three kinds puts on its hosts: of it all is data but rules, types and stories."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import (
    descriptions,
    domain_of,
    secrets_of,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core import flows
from ansible_collections.holdfast.storage.plugins.module_utils.core.config import parse_ini
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.manila import reserved
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import rendering
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import EXPRESSIONS, ORDER
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases


def built(**changes: Any) -> Model:
    model, findings = cases.build(cases.raw(cases.changed({"base": "shares", **changes})))
    assert model, findings
    return model


def render(model: Model) -> dict[str, str]:
    described = descriptions()
    forms = {**secrets_of(described), **domain_of(described).named_secrets(model)}
    secrets = {name: form.placeholder(name) if form else "s3cret" for name, form in forms.items()}
    return dict(rendering.render(ORDER, model, Services(described, model, secrets, expressions=EXPRESSIONS), secrets))


@pytest.fixture(scope="module")
def model() -> Model:
    return built()


@pytest.fixture(scope="module")
def rendered(model: Model) -> dict[str, str]:
    return render(model)


def wanted(rendered: dict[str, str], host: str, step: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(rendered[f"{host}/wanted/{step}.json"])
    return found


def test_each_back_end_has_a_section_a_user_of_ceph_and_no_share_servers(rendered: dict[str, str]) -> None:
    sections = parse_ini(rendered["control1/files/etc/manila/backends.conf"])
    assert sections["DEFAULT"] == {"enabled_share_backends": "gateway,native,filer"}
    assert sections["gateway"]["cephfs_nfs_cluster_id"] == "holdfast"
    assert sections["gateway"]["cephfs_auth_id"] == "manila-gateway"
    assert sections["native"]["cephfs_auth_id"] == "manila-native"
    assert "cephfs_nfs_cluster_id" not in sections["native"]
    assert sections["filer"]["flashblade_mgmt_vip"] == "10.9.0.1"
    sections |= parse_ini(rendered["metal1/files/etc/manila/backends.conf"])
    assert sections["local"]["lvm_share_export_ips"] == "172.29.244.31"
    for name in ("gateway", "native", "filer", "local"):
        assert sections[name]["driver_handles_share_servers"] == "false"
        assert sections[name]["reserved_share_percentage"] == "10"


def test_the_protocols_on_offer_and_the_default_type_follow_from_back_ends(rendered: dict[str, str]) -> None:
    for host in ("control1", "metal1"):
        section = parse_ini(rendered[f"{host}/files/etc/manila/manila.conf"])["DEFAULT"]
        assert section["enabled_share_protocols"] == "CEPHFS,CIFS,NFS"
        assert section["default_share_type"] == "nfs"


def test_share_types_say_what_the_back_end_can_and_what_is_said_over_it(rendered: dict[str, str]) -> None:
    step = wanted(rendered, "control1", "share_types/share_type")
    specs = {entry["name"]: entry["extra_specs"] for entry in step["share_types"]}
    assert specs["nfs"] == {
        "share_backend_name": "gateway",
        "driver_handles_share_servers": "False",
        "snapshot_support": "True",
        "create_share_from_snapshot_support": "True",
    }
    assert specs["fast"]["snapshot_support"] == "False"
    assert specs["local"]["revert_to_snapshot_support"] == "True"
    assert specs["filer"] == {"share_backend_name": "filer", "driver_handles_share_servers": "False"}
    assert step["backends"] == ["control1@filer", "control1@gateway", "control1@native", "metal1@local"]
    assert [entry["name"] for entry in step["share_group_types"]] == ["together"]


def test_who_reaches_shares_is_a_client_of_the_deployment_or_from_networks_that_it_lists(
    model: Model, rendered: dict[str, str]
) -> None:
    table = {row.id: row for row in flows.table(model)}
    assert set(table["ganesha"].clients) == {"manila_client", "manila_data"}
    walls = {host: rendered[f"{host}/files/etc/holdfast/firewall.nft"] for host in model.hosts}
    assert "ganesha_clients { 172.29.244.31, 172.29.244.41, 172.29.246.0/24, 10.80.4.0/24 }" in walls["storage1"]
    assert "manila_nfs_clients { 172.29.244.41, 172.29.246.0/24, 10.80.4.0/24 }" in walls["metal1"]
    assert "ganesha_servers { 172.29.247.21, 172.29.247.22 }" in walls["client1"]
    assert "10.80.8.0/24" in next(
        line for line in walls["storage1"].splitlines() if "add element" in line and "ceph_mon" in line
    )
    assert "10.80.8.0/24" not in walls["metal1"]
    # An address that another host holds is no forged one.
    spoofed = next(line for line in walls["storage1"].splitlines() if "element inet holdfast storage_spoofed" in line)
    assert "172.29.247" not in spoofed


def test_nothing_is_open_to_instances_unless_it_is_said() -> None:
    remove = ["vars/manila_client_networks", "vars/manila_cephfs_networks"]
    text = render(built(remove=remove))["storage1/files/etc/holdfast/firewall.nft"]
    assert "ganesha_clients { 172.29.244.31, 172.29.244.41 }" in text


def test_names_that_a_service_may_want_are_nobodys(model: Model, rendered: dict[str, str]) -> None:
    keys = {key["entity"]: key for key in wanted(rendered, "storage1", "ceph_cluster/ceph_cluster")["keys"]}
    assert {f"client.{name}" for name in reserved.NAMES} <= set(keys)
    assert keys["client.glance"]["caps"] == reserved.CAPS
    assert len({key["key"] for key in keys.values()}) == len(keys)
    assert keys["client.manila-native"]["caps"] == {"mon": "allow r", "mgr": "allow rw"}
    without = render(built(remove=["hosts/control1/manila_backends/1", "vars/manila_cephfs_networks"]))
    entities = [key["entity"] for key in wanted(without, "storage1", "ceph_cluster/ceph_cluster")["keys"]]
    assert "client.glance" not in entities, "no tenant chooses names where Ceph is not for tenants"


def test_the_kernel_and_samba_serve_on_br_storage_alone(rendered: dict[str, str]) -> None:
    nfsd = parse_ini("\n".join(rendered["metal1/files/etc/nfs.conf.d/holdfast.conf"].splitlines()[1:]))["nfsd"]
    assert (nfsd["host"], nfsd["vers3"]) == ("172.29.244.31", "n")
    samba = rendered["metal1/files/etc/samba/smb.conf"]
    for line in ("interfaces = 172.29.244.31", "bind interfaces only = yes", "include = registry", "smb ports = 445"):
        assert f"   {line}\n" in samba
    assert not any("/files/etc/exports" in name for name in rendered), "exports of others are left alone"


def test_its_volume_group_is_thick_and_tagged(rendered: dict[str, str]) -> None:
    (group,) = wanted(rendered, "metal1", "devices/volume_group")["groups"]
    assert group["tag"] == "holdfast.shares.metal1"
    assert group["thin"] is False


def test_it_has_a_database_a_queue_a_place_in_the_catalog_and_one_migration(rendered: dict[str, str]) -> None:
    of_control = {name: text for name, text in rendered.items() if name.startswith("control1/wanted/")}
    for step in ("database", "message_queue", "catalog"):
        (text,) = (text for name, text in of_control.items() if name.endswith(f"/{step}.json"))
        assert "manila" in text, step
    assert {name.partition("/")[0] for name, text in rendered.items() if "manila-manage" in text} == {"control1"}
    front = rendered["control1/files/etc/haproxy/haproxy.cfg"]
    assert "172.29.236.10:8786" in front
    assert "172.29.236.11:8786" in front
    units = {unit["name"]: unit for unit in wanted(rendered, "control1", "services/unit")["units"]}
    assert units["manila-api.service"]["listens"] == ["172.29.236.11:8786/healthcheck"]
