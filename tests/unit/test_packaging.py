# SPDX-License-Identifier: Apache-2.0
"""What the collection's archive holds: what its users need, and nothing of one operator or of one checkout."""

from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
IGNORED = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]


def packed(path: str) -> bool:
    """Whether a path is in the archive: ansible-galaxy does not enter a directory that a pattern matches."""
    parts = Path(path).parts
    ways = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return not any(fnmatch(way, pattern) for way in ways for pattern in IGNORED)


@pytest.mark.parametrize(
    "path",
    [
        "inventory/production/hosts.yml",
        "inventory/production/group_vars/all/secrets.yml",
        "inventory/production/group_vars/all/anything.yml",
        "inventory/production/.holdfast/run.json",
        "rendered/control1/etc/keystone/keystone.conf",
        "clouds.yaml",
        ".lab/clouds.yaml",
        "holdfast-storage-1.0.0.tar.gz",
    ],
)
def test_nothing_of_an_operator_is_packed(path: str) -> None:
    assert not packed(path)


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "changelogs/changelog.yaml",
        "meta/runtime.yml",
        "playbooks/site.yml",
        "playbooks/vars/nobody.yml",
        "plugins/modules/model.py",
        "roles/keystone/service.yml",
        "schema/service.schema.json",
    ],
)
def test_what_users_need_is_packed(path: str) -> None:
    assert packed(path)
