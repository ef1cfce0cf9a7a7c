# SPDX-License-Identifier: Apache-2.0
"""The power of the whole cloud is cut."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from volume_site import VolumeSite

MIB = 1024 * 1024


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> VolumeSite:
    return VolumeSite(request.config.getoption("--ssh-config"))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_was_acknowledged_is_there_when_all_hosts_come_back(site: VolumeSite, tmp_path: Path) -> None:
    """They come back by themselves, nothing is left to do, and all that users do works."""
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(os.urandom(8 * MIB))
    site.openstack("container", "create", "outage")
    site.volume("outage")
    site.openstack("object", "create", "--name", "outage", "outage", str(sent))
    site.openstack("image", "create", "--file", str(sent), "--disk-format", "raw", "outage")
    site.power("cycled", *site.hosts)
    site.openstack("object", "save", "--file", str(got), "outage", "outage")
    assert digest(got) == digest(sent)
    site.openstack("image", "save", "--file", str(got), "outage")
    assert digest(got) == digest(sent)
    assert site.openstack("volume", "show", "--format", "json", "outage")["status"] == "available"
    run = site.play("site.yml")
    assert (run.rc, run.changes()) == (0, []), run.output
    run = site.play("verify.yml")
    assert run.rc == 0, run.output
    site.openstack("volume", "delete", "outage")
    site.openstack("image", "delete", "outage")
    site.openstack("container", "delete", "--recursive", "outage")
