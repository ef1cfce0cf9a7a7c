# SPDX-License-Identifier: Apache-2.0
"""The deployment is taken off its hosts, and put back. After the other tests: nothing serves in between."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from lab_site import INVENTORY, PROJECT, wait
from volume_site import CLOUD, VolumeSite

MIB = 1024 * 1024
# What the roles write there and no package brings. The image has every package on every host.
MADE_BY_ROLES = (
    "find /etc/ceph /etc/cinder /etc/glance /etc/keystone /etc/placement /etc/sudoers.d /etc/swift"
    " -name '*.keyring' -o -name 'holdfast-*'"
)


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> VolumeSite:
    return VolumeSite(request.config.getoption("--ssh-config"))


def listening(site: VolumeSite) -> set[str]:
    """The TCP ports on which anything listens that is not of the host alone."""
    shown = site.everywhere("ss -Hltn '! src 127.0.0.0/8' '! src [::1]'")
    assert all(shown.values()), shown
    return {line.split()[3].rpartition(":")[2] for lines in shown.values() for line in lines.splitlines()}


def test_another_name_and_a_plan_change_nothing(site: VolumeSite) -> None:
    before = listening(site)
    run = site.play("destroy.yml", destroy="another")
    assert run.rc != 0, run.output
    assert "nothing was changed" in run.output
    run = site.play("destroy.yml", "--check", "--diff", destroy=CLOUD)
    assert (run.rc, set(run.changes())) == (0, set(site.hosts)), run.output
    assert listening(site) == before


def test_what_was_destroyed_comes_back_with_all_data(site: VolumeSite, tmp_path: Path) -> None:
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(os.urandom(8 * MIB))
    site.openstack("container", "create", "kept")
    site.openstack("object", "create", "--name", "kept", "kept", str(sent))
    site.openstack("image", "create", "--file", str(sent), "--disk-format", "raw", "kept")
    volume = site.volume("kept")["id"]

    run = site.play("destroy.yml", destroy=CLOUD)
    assert run.rc == 0, run.output
    assert listening(site) == {"22"}
    assert set(site.everywhere("systemctl --failed --no-legend").values()) == {""}
    assert set(site.everywhere(MADE_BY_ROLES).values()) == {""}
    run = site.play("destroy.yml", destroy=CLOUD)
    assert (run.rc, run.changes()) == (0, []), run.output

    # Also when the installer dies in each of its phases.
    killed = subprocess.run(
        [PROJECT / "tests/integration/kill.py", INVENTORY, "--after", "2"],
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert killed.returncode == 0, killed.stdout + killed.stderr
    assert "s into Services" in killed.stdout, killed.stdout

    def is_there(*command: str) -> bool:
        site.openstack(*command, "--file", str(got))
        return got.read_bytes() == sent.read_bytes()

    wait(lambda: is_there("object", "save", "kept", "kept"), "the object is there")
    wait(lambda: is_there("image", "save", "kept"), "the image is there")
    assert site.wait("kept", status="available")["id"] == volume
    run = site.play("site.yml")
    assert (run.rc, run.changes()) == (0, []), run.output
    run = site.play("verify.yml")
    assert run.rc == 0, run.output
