# SPDX-License-Identifier: Apache-2.0
"""What a client on the controller is given: whole, and readable by its owner alone where there is a password."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone import access
from ansible_collections.holdfast.storage.plugins.plugin_utils import client_files
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

PASSWORD = 'it\'s "staple" & $HOME'


def cloud(**changes: Any) -> dict[str, Any]:
    model = cases.deployed(cases.changed({"base": "lab", "set": changes})).model
    return access.cloud(model, {access.PASSWORD: PASSWORD}, "/lab/ca.pem")


def test_the_cloud_is_at_the_load_balancer_by_its_name_if_it_has_one() -> None:
    assert cloud()["auth"]["auth_url"] == "https://172.29.236.10:5000/v3"
    named = cloud(**{"vars/haproxy_name": "cloud.example.org", "vars/holdfast_region": "north"})
    assert named["auth"]["auth_url"] == "https://cloud.example.org:5000/v3"
    assert (named["region_name"], named["cacert"]) == ("north", "/lab/ca.pem")


def test_clouds_yaml_and_openrc_say_the_same(tmp_path: Path) -> None:
    entry = cloud()
    files = client_files.contents("lab", entry, access.environment(entry), "a certificate\n")
    assert {name: mode for name, (_, mode) in files.items()} == {"clouds.yaml": 0o600, "openrc": 0o600, "ca.pem": 0o644}
    assert yaml.safe_load(files["clouds.yaml"][0]) == {"clouds": {"lab": entry}}
    (tmp_path / "openrc").write_text(files["openrc"][0])
    shell = ["sh", "-c", f". {tmp_path}/openrc; env -0"]
    lines = subprocess.check_output(shell, env={}, text=True).split("\0")
    said = dict(line.split("=", 1) for line in lines if line.startswith("OS_"))
    assert said == {
        "OS_AUTH_URL": "https://172.29.236.10:5000/v3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": PASSWORD,
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": "RegionOne",
        "OS_CACERT": "/lab/ca.pem",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_AUTH_TYPE": "password",
    }


def test_a_file_is_written_once_and_never_half(tmp_path: Path) -> None:
    path = tmp_path / "new" / "openrc"
    assert client_files.write(path, "x\n", 0o600, check=True)
    assert not path.exists()
    assert client_files.write(path, "x\n", 0o600)
    assert not client_files.write(path, "x\n", 0o600)
    path.chmod(0o644)
    assert client_files.write(path, "x\n", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["openrc"]
