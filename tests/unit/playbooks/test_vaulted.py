# SPDX-License-Identifier: Apache-2.0
"""Values of an inventory that stand in a vault, through the actions that leave files on the controller."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

BIN = Path(sys.executable).parent
ALONE, IN_FILE = "Sup3r$ecretOfLdap", "hunter2hunter3"
PLAYBOOK = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - holdfast.storage.model:
      run_once: true
    - holdfast.storage.render:
        directory: "{{ inventory_dir }}/rendered"
      run_once: true
"""


@pytest.fixture
def site(tmp_path):
    """An inventory with a password that is in a vault by itself, and one whose file is."""
    directory = tmp_path / "site"
    (directory / "group_vars/all").mkdir(parents=True)
    (tmp_path / "password").write_text("a password of this test")
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    content = cases.good("lab")
    groups = {name: {"hosts": dict.fromkeys(members)} for name, members in content["groups"].items()}
    (directory / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": content["hosts"], "children": groups}}))
    done = run(tmp_path, "ansible-vault", "encrypt_string", ALONE, "--name", "site_password")
    content["vars"]["keystone_conf_overrides"] = {
        "ldap": {"password": "{{ site_password }}", "user": "cn={{ site_ldap_user }},dc=x", "url": "ldap://x"}
    }
    (directory / "group_vars/all/main.yml").write_text(yaml.safe_dump(content["vars"]) + done.stdout)
    (directory / "group_vars/all/vaulted.yml").write_text(f"site_ldap_user: {IN_FILE}\n")
    run(tmp_path, "ansible-vault", "encrypt", directory / "group_vars/all/vaulted.yml")
    return directory


def run(directory, command, *arguments):
    return subprocess.run(
        [BIN / command, *map(str, arguments)],
        cwd=cases.ROOT,
        env={**os.environ, "ANSIBLE_VAULT_PASSWORD_FILE": str(directory / "password"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )


def test_no_value_of_a_vault_is_left_in_clear(site):
    shown = run(site.parent, "ansible-playbook", "-i", site, site.parent / "play.yml", "-vvv", "--diff")
    left = [path for path in site.rglob("*") if path.is_file()]
    assert any(path.name == "keystone.conf" for path in left)
    for secret in (ALONE, IN_FILE):
        assert [path for path in left if secret in path.read_text()] == []
        assert secret not in shown.stdout + shown.stderr
    model = json.loads((site / ".holdfast/model.json").read_text())
    assert model["hosts"]["control1"]["variables"]["keystone_conf_overrides"]["ldap"] == {
        "password": "(secret)",
        "user": "(secret)",
        "url": "ldap://x",
    }
    (site.parent / "sealed").write_text(json.loads((site / ".holdfast/sealed.json").read_text()))
    opened = run(site.parent, "ansible-vault", "decrypt", "--output", "-", site.parent / "sealed").stdout
    of_control = {path[-1]: value for path, value in json.loads(opened) if "control1" in path}
    assert of_control == {"password": ALONE, "user": f"cn={IN_FILE},dc=x"}


def test_a_message_does_not_show_it(site):
    file = site / "group_vars/all/main.yml"
    file.write_text(file.read_text() + 'holdfast_region: "{{ site_ldap_user }} with blanks"\n')
    with pytest.raises(subprocess.CalledProcessError) as refused:
        run(site.parent, "ansible-playbook", "-i", site, "playbooks/validate.yml", "-vvv")
    shown = refused.value.stdout + refused.value.stderr
    assert "holdfast_region: is '(secret) with blanks'" in shown
    assert IN_FILE not in shown
