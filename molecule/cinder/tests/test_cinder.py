# SPDX-License-Identifier: Apache-2.0
"""Volumes that two hosts manage, judged by the API, the cluster and the processes. The order matters."""

from __future__ import annotations

import json

import pytest
import yaml
from lab_site import INVENTORY, LAB
from volume_site import VolumeSite

MANAGERS = ("control1", "storage1")
BACKENDS = yaml.safe_load((INVENTORY / "group_vars/cinder_volume.yml").read_text())["cinder_backends"]
UNIT = "holdfast-cinder-volume-cluster"


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> VolumeSite:
    return VolumeSite(request.config.getoption("--ssh-config"))


def test_the_stories_of_volumes_hold(site: VolumeSite) -> None:
    run = site.play("verify.yml")
    assert run.rc == 0, run.output
    told = json.loads((LAB / "verify.json").read_text())
    assert {story["id"] for story in told if story["realm"] == "block"} >= {
        "block.write",
        "block.restored",
        "block.imaged",
    }


def test_both_hosts_manage_the_back_end_as_one_cluster(site: VolumeSite) -> None:
    services = site.openstack("volume", "service", "list", "--service", "cinder-volume", "--format", "json")
    assert {(row["Host"], row["Cluster"], row["State"]) for row in services} == {
        (f"{host}@ceph", "cinder@ceph", "up") for host in MANAGERS
    }
    for host in MANAGERS:
        assert not site.hosts[host].service("cinder-volume").is_running
        assert site.hosts[host].service(UNIT).is_running


def test_the_lock_manager_speaks_to_holders_of_certificates_only(site: VolumeSite) -> None:
    host = site.hosts["control1"]
    tls = "--cacert /etc/holdfast/tls/ca.pem"
    own = "--cert /etc/holdfast/tls/host.pem --key /etc/holdfast/tls/host.key"
    members = host.check_output(f"etcdctl --endpoints=https://127.0.0.1:2378 {tls} {own} member list")
    assert members.count("started") == 3
    assert host.run(f"etcdctl --command-timeout=3s --endpoints=https://127.0.0.1:2378 {tls} member list").rc != 0
    for line in host.check_output("ss -Hltn 'sport = :2379 or sport = :2380'").splitlines():
        assert line.split()[3].startswith("172.29.236.11:"), line


def test_files_with_secrets_are_for_the_service_alone(site: VolumeSite) -> None:
    for name in ("cinder.conf", "backends.conf"):
        found = site.hosts["control1"].file(f"/etc/cinder/{name}")
        assert (found.user, found.group, found.mode) == ("root", "cinder", 0o640)
    assert site.hosts["control1"].file("/etc/holdfast/volume.json").mode == 0o600
    assert not site.hosts["storage1"].file("/etc/holdfast/volume.json").exists


def test_a_manager_that_dies_leaves_nothing_behind_that_the_other_cannot_do(site: VolumeSite) -> None:
    volume = site.volume("survivor")
    owner = volume["os-vol-host-attr:host"].partition("@")[0]
    with site.without(owner, UNIT):
        site.openstack("volume", "set", "--size", "2", "survivor")
        site.wait("survivor", status="available", size=2)
        site.volume("newcomer")


def test_a_member_of_the_lock_manager_may_be_lost(site: VolumeSite) -> None:
    with site.without("control1", "etcd"):
        site.volume("unlocked")
        site.openstack("volume", "set", "--type", "bronze", "--migration-policy", "never", "unlocked")
        site.wait("unlocked", status="available", type="bronze")


def test_limits_and_quotas_come_back_when_somebody_changes_them(site: VolumeSite) -> None:
    (limit,) = site.openstack("volume", "qos", "list", "--format", "json")
    site.openstack("volume", "qos", "set", "--property", "total_iops_sec=1", limit["ID"])
    run = site.play("site.yml")
    assert run.rc == 0, run.output
    (limit,) = site.openstack("volume", "qos", "list", "--format", "json")
    assert limit["Properties"] == {"total_iops_sec": "2000"}


def test_a_back_end_that_holds_volumes_cannot_be_taken_out(site: VolumeSite) -> None:
    run = site.play("site.yml", cinder_backends=[{**BACKENDS[0], "name": "other"}], cinder_volume_types=[])
    assert run.rc != 0, run.output
    assert "cinder.backend-in-use" in run.output
    assert "cinder.type-in-use" in run.output
    assert not run.changes()


def test_nothing_is_taken_over_from_the_living(site: VolumeSite) -> None:
    given = {"takeover_from": "control1@ceph", "takeover_to": "storage1@ceph", "takeover_confirm": True}
    run = site.play("cinder_takeover.yml", **given)
    assert run.rc != 0, run.output
    assert "takeover.alive" in run.output


def test_a_misspelt_option_is_refused(site: VolumeSite) -> None:
    wrong = [{**BACKENDS[0], "options": {"rbd_max_clone_dept": 3}}]
    run = site.play("site.yml", cinder_backends=wrong)
    assert run.rc != 0, run.output
    assert "options.rbd_max_clone_dept" in run.output
    assert not run.changes()
