# SPDX-License-Identifier: Apache-2.0
"""Volumes that two hosts manage, judged by the API, the cluster and the processes. The order matters."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml

SCENARIO = Path(__file__).resolve().parents[1]
PROJECT = SCENARIO.parents[1]
INVENTORY = SCENARIO / "inventory"
MANAGERS = ("control1", "storage1")
BACKENDS = yaml.safe_load((INVENTORY / "group_vars/cinder_volume.yml").read_text())["cinder_backends"]
UNIT = "holdfast-cinder-volume-cluster"


class Site:
    """The hosts by name, the playbooks, and the API through the client that users have."""

    def __init__(self, ssh_config: str) -> None:
        names = (*MANAGERS, "storage2", "storage3")
        self.hosts = {name: testinfra.get_host(f"ssh://{name}", ssh_config=ssh_config) for name in names}

    def play(self, playbook: str, *arguments: str, **variables: Any) -> tuple[int, str]:
        """Exit status and output of a playbook. ``variables`` override the inventory's."""
        variables.setdefault("lab_dir", str(SCENARIO / ".lab"))
        done = subprocess.run(
            [
                Path(sys.executable).with_name("ansible-playbook"),
                f"--inventory={INVENTORY}",
                f"--extra-vars={json.dumps(variables)}",
                *arguments,
                PROJECT / "playbooks" / playbook,
            ],
            cwd=PROJECT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def openstack(self, *arguments: str) -> Any:
        """What the client says, as JSON where there is any."""
        done = subprocess.run(
            [Path(sys.executable).with_name("openstack"), "--os-cloud", "cinder", *arguments],
            env={**os.environ, "OS_CLIENT_CONFIG_FILE": str(SCENARIO / ".lab/clouds.yaml")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout

    def volume(self, name: str) -> dict[str, Any]:
        """A new volume, when it is available."""
        self.openstack("volume", "create", "--size", "1", name)
        return self.wait(name, status="available")

    def wait(self, name: str, **wanted: Any) -> dict[str, Any]:
        """The volume, when it is as wanted."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.openstack("volume", "show", "--format", "json", name)
            if wanted.items() <= found.items():
                return found
            assert not found["status"].startswith("error"), found
            time.sleep(1)
        pytest.fail(f"{name} is not {wanted}: {found}")

    @contextlib.contextmanager
    def without(self, host: str, unit: str) -> Iterator[None]:
        """Kill a unit for good, and start it in the end."""
        self.hosts[host].check_output(f"systemctl kill -s KILL {unit}; systemctl stop {unit}")
        try:
            yield
        finally:
            self.hosts[host].check_output(f"systemctl start {unit}")


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Site:
    return Site(request.config.getoption("--ssh-config"))


def test_the_stories_of_volumes_hold(site: Site) -> None:
    status, output = site.play("verify.yml")
    told = json.loads((SCENARIO / ".lab/verify.json").read_text())
    assert status == 0, output
    assert {story["id"] for story in told if story["realm"] == "block"} >= {
        "block.write",
        "block.restored",
        "block.imaged",
    }


def test_both_hosts_manage_the_back_end_as_one_cluster(site: Site) -> None:
    services = site.openstack("volume", "service", "list", "--service", "cinder-volume", "--format", "json")
    assert {(row["Host"], row["Cluster"], row["State"]) for row in services} == {
        (f"{host}@ceph", "cinder@ceph", "up") for host in MANAGERS
    }
    for host in MANAGERS:
        assert not site.hosts[host].service("cinder-volume").is_running
        assert site.hosts[host].service(UNIT).is_running


def test_the_lock_manager_speaks_to_holders_of_certificates_only(site: Site) -> None:
    host = site.hosts["control1"]
    tls = "--cacert /etc/holdfast/tls/ca.pem"
    own = "--cert /etc/holdfast/tls/host.pem --key /etc/holdfast/tls/host.key"
    members = host.check_output(f"etcdctl --endpoints=https://127.0.0.1:2378 {tls} {own} member list")
    assert members.count("started") == 3
    assert host.run(f"etcdctl --command-timeout=3s --endpoints=https://127.0.0.1:2378 {tls} member list").rc != 0
    for line in host.check_output("ss -Hltn 'sport = :2379 or sport = :2380'").splitlines():
        assert line.split()[3].startswith("172.29.236.11:"), line


def test_files_with_secrets_are_for_the_service_alone(site: Site) -> None:
    for name in ("cinder.conf", "backends.conf"):
        found = site.hosts["control1"].file(f"/etc/cinder/{name}")
        assert (found.user, found.group, found.mode) == ("root", "cinder", 0o640)
    assert site.hosts["control1"].file("/etc/holdfast/volume.json").mode == 0o600
    assert not site.hosts["storage1"].file("/etc/holdfast/volume.json").exists


def test_a_manager_that_dies_leaves_nothing_behind_that_the_other_cannot_do(site: Site) -> None:
    volume = site.volume("survivor")
    owner = volume["os-vol-host-attr:host"].partition("@")[0]
    with site.without(owner, UNIT):
        site.openstack("volume", "set", "--size", "2", "survivor")
        site.wait("survivor", status="available", size=2)
        site.volume("newcomer")


def test_a_member_of_the_lock_manager_may_be_lost(site: Site) -> None:
    with site.without("control1", "etcd"):
        site.volume("unlocked")
        site.openstack("volume", "set", "--type", "bronze", "--migration-policy", "never", "unlocked")
        site.wait("unlocked", status="available", type="bronze")


def test_limits_and_quotas_come_back_when_somebody_changes_them(site: Site) -> None:
    (limit,) = site.openstack("volume", "qos", "list", "--format", "json")
    site.openstack("volume", "qos", "set", "--property", "total_iops_sec=1", limit["ID"])
    status, output = site.play("site.yml")
    assert status == 0, output
    (limit,) = site.openstack("volume", "qos", "list", "--format", "json")
    assert limit["Properties"] == {"total_iops_sec": "2000"}


def test_a_back_end_that_holds_volumes_cannot_be_taken_out(site: Site) -> None:
    status, output = site.play("site.yml", cinder_backends=[{**BACKENDS[0], "name": "other"}], cinder_volume_types=[])
    assert status != 0
    assert "cinder.backend-in-use" in output
    assert "cinder.type-in-use" in output
    assert not re.findall(r"^changed: ", output, re.M)


def test_nothing_is_taken_over_from_the_living(site: Site) -> None:
    given = {"takeover_from": "control1@ceph", "takeover_to": "storage1@ceph", "takeover_confirm": True}
    status, output = site.play("cinder_takeover.yml", **given)
    assert status != 0
    assert "takeover.alive" in output


def test_a_misspelt_option_is_refused(site: Site) -> None:
    wrong = [{**BACKENDS[0], "options": {"rbd_max_clone_dept": 3}}]
    status, output = site.play("site.yml", cinder_backends=wrong)
    assert status != 0
    assert "options.rbd_max_clone_dept" in output
    assert not re.findall(r"^changed: ", output, re.M)
