# SPDX-License-Identifier: Apache-2.0
"""Actions that know of other hosts, or of secrets, what the module on one host can not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.holdfast.storage.plugins.action import client_files
from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations.kinds import certificate
from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone import fernet
from ansible_collections.holdfast.storage.plugins.module_utils.core.swift import wants
from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store
from ansible_collections.holdfast.storage.tests.unit.module_utils.core.certificates import Site

from .conftest import secrets_of

only_ceph = pytest.mark.parametrize("controller", ["ceph"], indirect=True)


def test_unknown_options_are_refused(controller: Any) -> None:
    controller.begin()
    assert "unknown options: force" in controller.act("plan", force=True)["msg"]


# -- rings


def test_the_ring_module_is_told_what_the_others_have_and_its_files_are_kept(controller: Any) -> None:
    controller.begin()
    state = {"object": {"builder": "abc"}}
    controller.probed("storage2", rings__swift_ring=state)
    controller.probed("storage1", rings__swift_ring={"object": None})
    controller.answers["swift_ring"] = {
        "changed": True,
        "actions": ["publish object"],
        "invocation": {},
        "published": [{"ring": "object", "builder": "x"}],
    }
    options = {"rings": [], "hosts": ["storage1", "storage2", "storage3"]}
    result = controller.act("swift_ring", "storage1", **options)
    assert result == {"changed": True, "actions": ["publish object"]}
    ((_, asked),) = controller.ran
    assert (asked["host"], asked["peers"]) == ("storage1", {"storage2": state})
    assert controller.run_directory.read("rings/object.json") == {"ring": "object", "builder": "x"}


def test_peers_that_are_given_by_hand_win(controller: Any) -> None:
    controller.begin()
    controller.act("swift_ring", "storage1", rings=[], hosts=["storage1"], peers={"storage9": {}})
    assert controller.ran[0][1]["peers"] == {"storage9": {}}


def test_copies_that_are_given_are_handed_on(controller: Any) -> None:
    controller.begin()
    copies = [{"ring": "object", "builder": "x"}]
    controller.act("swift_ring_copy", "storage1", copies=copies, directory="/etc/other")
    assert controller.ran == [("swift_ring_copy", {"copies": copies, "directory": "/etc/other"})]


def test_without_copies_a_host_gets_those_of_the_rings_that_it_lacks(controller: Any) -> None:
    deployment = controller.begin()
    hosts = ("control1", "storage1", "storage2", "storage3")
    controller.probed(*hosts)
    host = deployment.model.hosts["storage1"]
    wanted = wants.swift_ring(deployment.model, host, deployment.services, deployment.secrets)
    names = [ring["name"] for ring in wanted["rings"]]
    for name in names:
        controller.run_directory.write(f"rings/{name}.json", {"ring": name, "builder": "x"})
    options = {name: wanted[name] for name in ("rings", "hosts")}
    result = controller.act("swift_ring_copy", "storage1", **options)
    assert not result.get("failed"), result
    ((_, asked),) = controller.ran
    assert [copy["ring"] for copy in asked["copies"]] == names


# -- Ceph


@only_ceph
@pytest.mark.parametrize(("formed", "bootstrap"), [(False, True), (True, False)])
def test_a_monitor_begins_a_cluster_only_where_no_host_has_one(controller: Any, formed: bool, bootstrap: bool) -> None:
    model = controller.begin().model
    monitors = [host.name for host in model.group("ceph_mon")]
    assert len(monitors) > 1
    controller.probed(*monitors)
    if formed:
        other = controller.run_directory.read(f"probe/{monitors[1]}.json")
        other["ceph_mon/ceph_mon"]["formed"] = "f"
        controller.run_directory.write(f"probe/{monitors[1]}.json", other)
    options = {"fsid": "f", "name": monitors[0], "monitors": monitors}
    controller.act("ceph_mon", monitors[0], **options)
    assert controller.ran == [("ceph_mon", {**options, "bootstrap": bootstrap})]


@only_ceph
def test_who_says_whether_a_monitor_begins_a_cluster_is_believed(controller: Any) -> None:
    controller.begin()
    controller.act("ceph_mon", "storage1", name="storage1", bootstrap=False)
    assert controller.ran[0][1]["bootstrap"] is False


# -- networks


def test_reachability_asks_the_peers_of_each_network(controller: Any) -> None:
    controller.begin()
    controller.answers["reachability_info"] = {"targets": [], "ports": []}
    result = controller.act("reachability", "storage1")
    ((_, asked),) = controller.ran
    assert {target["peer"] for target in asked["targets"]} == {"control1", "storage2", "storage3"}
    assert "ports" not in asked, "the flows are asked for on demand"
    assert result == {"changed": False, "findings": [], "asked": len(asked["targets"])}
    controller.act("reachability", "storage1", flows=True)
    assert controller.ran[1][1]["ports"]


def test_a_peer_that_does_not_answer_fails_the_task(controller: Any) -> None:
    controller.begin()
    target = {"bridge": "br-repl", "network": "repl", "source": "a", "peer": "storage2", "address": "b", "error": ""}
    controller.answers["reachability_info"] = {"targets": [{**target, "size": 1472, "small": None, "full": None}]}
    result = controller.act("reachability", "storage1")
    assert result["failed"]
    assert result["findings"][0]["code"] == "networks.unreachable"
    controller.answers["reachability_info"] = {"targets": [{**target, "error": "no such device"}]}
    result = controller.act("reachability", "storage1")
    assert not result.get("failed")
    assert [finding["code"] for finding in result["findings"]] == ["networks.not_made"]


def test_a_module_that_failed_is_told_with_its_host(controller: Any) -> None:
    controller.begin()
    controller.answers["reachability_info"] = {"failed": True, "msg": "no raw sockets"}
    assert controller.act("reachability", "storage1")["msg"] == "storage1: no raw sockets"


# -- certificates and client files


def test_a_certificate_is_asked_for_as_the_plan_and_the_secrets_say(controller: Any) -> None:
    secrets = controller.begin().secrets
    controller.planned("control1", certificates__certificate=[f"{certificate.DIRECTORY}/host.pem"])
    kept = Site({}).file("ca")
    (controller.directory / "group_vars/all/ca.pem").write_bytes(kept)
    result = controller.act("certificate_request")
    assert (result["serves"], result["common_name"]) == (True, "control1")
    assert {"DNS:control1", "IP:172.29.236.11", "IP:172.29.236.10"} <= set(result["names"])
    assert result["authority_key"] == secrets["pki_ca_key"]
    assert result["authority_certificate"] == kept.decode()
    assert (result["site_certificate"], result["site_key"]) == ("", "")


@pytest.mark.parametrize("part", ["=the authority", "=\n", "root.der", "root.damaged", "root.cut"])
def test_an_authority_whose_certificate_was_damaged_makes_another(controller: Any, part: str) -> None:
    controller.begin()
    controller.planned("control1", certificates__certificate=[f"{certificate.DIRECTORY}/host.pem"])
    (controller.directory / "group_vars/all/ca.pem").write_bytes(Site({"ca": [part]}).file("ca"))
    assert controller.act("certificate_request")["authority_certificate"] == ""


def test_a_host_whose_certificate_stands_makes_none(controller: Any) -> None:
    controller.begin()
    controller.planned("storage1", certificates__certificate=[f"{certificate.DIRECTORY}/ca.pem"])
    result = controller.act("certificate_request", "storage1")
    assert (result["serves"], result["names"], result["authority_certificate"]) == (False, [], "")


@pytest.fixture
def trusting(controller: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A deployment whose host has the authority's certificate; artifacts go to a directory of their own."""
    controller.begin()
    (controller.directory / "ca.pem").write_text("the authority\n\n")
    monkeypatch.setattr(client_files, "AUTHORITY", str(controller.directory / "ca.pem"))
    controller.variables["holdfast_artifacts_dir"] = str(controller.directory / "artifacts")
    return controller


def test_clients_get_what_they_need_once(trusting: Any) -> None:
    place = trusting.directory / "artifacts"
    result = trusting.act("client_files")
    assert result == {
        "changed": True,
        "actions": [f"write {place}/{name}" for name in ("clouds.yaml", "openrc", "ca.pem")],
    }
    cloud = yaml.safe_load((place / "clouds.yaml").read_text())["clouds"]["lab"]
    assert cloud["auth"]["auth_url"] == "https://172.29.236.10:5000/v3"
    assert cloud["auth"]["password"] == secrets_of("lab")["keystone_admin_password"]
    assert (place / "ca.pem").read_text() == "the authority\n"
    assert (place / "clouds.yaml").stat().st_mode & 0o777 == 0o600
    assert trusting.act("client_files") == {"changed": False, "actions": []}


def test_check_mode_writes_no_client_file(trusting: Any) -> None:
    assert trusting.act("client_files", check=True)["changed"]
    (trusting.directory / "ca.pem").unlink()
    result = trusting.act("client_files", check=True)
    assert (result["changed"], len(result["actions"])) == (True, 1)
    assert not (trusting.directory / "artifacts").exists()


def test_a_host_without_the_authority_is_named(trusting: Any) -> None:
    (trusting.directory / "ca.pem").unlink()
    assert "control1 has no " in trusting.act("client_files")["msg"]


# -- keys of tokens

_ROTATIONS = [(False, False, False), (True, False, True), (True, True, False)]


@pytest.mark.parametrize(
    ("force", "check", "changed"), [(False, False, False), (True, False, True), (True, True, True)]
)
def test_keys_are_rotated_in_the_vault_file_when_it_is_time(
    controller: Any, force: bool, check: bool, changed: bool
) -> None:
    controller.begin()
    before = secret_store.read(controller.loader, controller.directory)
    result = controller.act("fernet_rotation", check=check, force=force)
    assert result["changed"] is changed
    after = secret_store.read(controller.loader, controller.directory)
    rotated = changed and not check
    assert (after["keystone_fernet_keys"] != before["keystone_fernet_keys"]) is rotated
    assert {**after, "keystone_fernet_keys": ""} == {**before, "keystone_fernet_keys": ""}
    if rotated:
        assert fernet.age_hours(after["keystone_fernet_keys"], time.time()) < 1
        assert fernet.keys(before["keystone_fernet_keys"]) != fernet.keys(after["keystone_fernet_keys"])


# -- disks


def test_a_name_that_is_no_declared_disk_is_refused_on_every_host(controller: Any) -> None:
    controller.begin()
    assert controller.act("erasure", "storage2", disks=["storage1:/dev/sda"])["failed"]
    assert controller.ran == []


def test_a_host_erases_its_own_disks_only(controller: Any) -> None:
    controller.begin()
    named = ["storage1:/dev/loop101"]
    assert controller.act("erasure", "storage2", disks=named) == {"changed": False, "actions": []}
    assert controller.ran == []
    assert controller.act("erasure", "storage1", disks=named)["changed"]
    ((_, asked),) = controller.ran
    assert [str(device) for device in asked["devices"]] == ["/dev/loop101"]


# -- destruction


@pytest.mark.parametrize("name", [None, "", "prod", "Lab"])
def test_a_deployment_that_is_not_named_is_not_withdrawn(controller: Any, name: str | None) -> None:
    controller.begin()
    result = controller.act("withdraw", deployment=name)
    assert result["failed"]
    assert "nothing was changed" in result["msg"]
    assert controller.ran == []


def test_units_are_stopped_before_their_files_go_and_directories_stay(controller: Any) -> None:
    controller.begin()
    result = controller.act("withdraw", deployment="lab")
    names = [name for name, _ in controller.ran]
    assert names == ["unit"] * (len(names) - 1) + ["file"]
    stopped = [unit for name, asked in controller.ran if name == "unit" for unit in asked["units"]]
    assert {(unit["state"], unit["enabled"]) for unit in stopped} == {("stopped", False)}
    order = [unit["name"] for unit in stopped]
    assert order.index("glance-api.service") < order.index("mariadb.service"), "what stands on others ends first"
    removed = controller.ran[-1][1]["files"]
    assert {entry["path"]: entry["state"] for entry in removed if entry["state"] != "absent"} == {"/etc/hosts": "block"}
    paths = [entry["path"] for entry in removed]
    assert "/etc/glance/glance-api.conf" in paths
    assert "/var/lib/glance/images" not in paths, "it may hold data"
    assert result["actions"] == [f"did {name}" for name in names]


def test_files_stay_when_a_unit_does_not_stop(controller: Any) -> None:
    controller.begin()
    controller.answers["unit"] = {"failed": True, "msg": "it hangs"}
    result = controller.act("withdraw", deployment="lab")
    assert (result["failed"], result["msg"]) == (True, "unit: it hangs")
    assert [name for name, _ in controller.ran] == ["unit"]


# -- the report


def test_the_report_is_written_from_what_runs_left_and_not_in_check_mode(controller: Any, tmp_path: Path) -> None:
    controller.begin()
    controller.variables["holdfast_artifacts_dir"] = str(tmp_path / "artifacts")
    page = tmp_path / "artifacts/report.html"
    assert controller.act("report", check=True) == {"changed": False, "msg": f"The report:\n{page}"}
    assert not page.exists()
    controller.act("report")
    assert "storage3" in page.read_text()
