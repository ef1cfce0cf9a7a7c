# SPDX-License-Identifier: Apache-2.0
"""The power of the whole cloud is cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lab_site import wait
from volume_site import VolumeSite

MIB = 1024 * 1024


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> VolumeSite:
    return VolumeSite(request.config.getoption("--ssh-config"))


def test_what_was_acknowledged_is_there_when_all_hosts_come_back(site: VolumeSite, tmp_path: Path) -> None:
    """They come back by themselves, nothing is left to do, and all that users do works."""
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(os.urandom(8 * MIB))
    site.openstack("container", "create", "outage")
    site.volume("outage")
    site.openstack("object", "create", "--name", "outage", "outage", str(sent))
    site.openstack("image", "create", "--file", str(sent), "--disk-format", "raw", "outage")
    site.power("cycled", *site.hosts)

    def is_there(*command: str) -> bool:
        site.openstack(*command, "--file", str(got))
        return got.read_bytes() == sent.read_bytes()

    wait(lambda: is_there("object", "save", "outage", "outage"), "the object is there")
    wait(lambda: is_there("image", "save", "outage"), "the image is there")
    site.wait_for_service()
    assert site.openstack("volume", "show", "--format", "json", "outage")["status"] == "available"
    run = site.play("site.yml")
    assert (run.rc, run.changes()) == (0, []), run.output
    site.openstack("volume", "delete", "outage")
    site.openstack("image", "delete", "outage")
    site.openstack("container", "delete", "--recursive", "outage")
