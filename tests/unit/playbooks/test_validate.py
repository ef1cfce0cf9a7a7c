# SPDX-License-Identifier: Apache-2.0
"""validate.yml as an operator runs it: exit status, messages, nothing written, nobody contacted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

from .conftest import MAIN

ROOT = cases.ROOT


def files(directory):
    """What stands in a directory, without the logs that every playbook leaves."""
    return {
        path: path.read_bytes() for path in directory.rglob("*") if path.is_file() and ".holdfast" not in path.parts
    }


@pytest.mark.parametrize("name", ["lab", "metal"])
def test_a_good_inventory_passes_and_nothing_is_written(inventory, validate, name):
    directory = inventory(cases.good(name))
    before = files(directory)
    status, output = validate("-i", directory)
    assert status == 0, output
    assert files(directory) == before


@pytest.mark.parametrize("name", ["sample", "three-hosts", "lab"])
def test_the_inventories_of_the_repository_pass(tmp_path, validate, name):
    # Secrets that a deployment has made there are in a vault with another password.
    made = shutil.ignore_patterns("secrets.yml", "addresses.yml", ".holdfast")
    shutil.copytree(ROOT / "inventory" / name, tmp_path / "x/inventory" / name, ignore=made)
    status, output = validate("-i", tmp_path / "x/inventory" / name)
    assert status == 0, output


def test_a_limit_does_not_narrow_what_is_checked(inventory, validate):
    directory = inventory(cases.changed({"set": {"hosts/storage3/swift_zone": -1}}))
    status, output = validate("-i", directory, "--limit", "storage1", "--check", "--diff")
    assert status != 0
    assert "swift_zone: is -1" in output


def test_all_problems_are_told_at_once_with_file_and_line(inventory, validate):
    content = cases.changed(
        {
            "set": {
                "vars/swift_replica": 3,
                "vars/networks_bridges/mgmt/mtu": "1500",
                "hosts/storage2/swift_disks/1/device": "/dev/sdb",
                "vars/glance_default_store": "{{ favourite_store }}",
                "hosts/storage3/networks_addresses": {"storage": "172.29.244.21"},
                "hosts/storage1/networks_addresses": {"storage": "172.29.244.21"},
            }
        }
    )
    directory = inventory(content)
    lines = (directory / MAIN).read_text().splitlines()
    status, output = validate("-i", directory)
    assert status != 0
    mtu = next(number for number, line in enumerate(lines, 1) if "mtu" in line)
    for text in (
        f"main.yml:{mtu}: networks_bridges.mgmt.mtu: is '1500'",
        "swift_replica: is 3, and is not a variable of Holdfast",
        "Did you mean swift_replicas?",
        "(storage2): swift_disks[1].device: is '/dev/sdb'",
        "glance_default_store: can not be evaluated: 'favourite_store' is undefined.",
        "(storage3): networks_addresses.storage: 172.29.244.21 is also the address of storage1",
    ):
        assert text in output
    assert len([line for line in output.splitlines() if line.strip().startswith("error: ")]) == 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1\nb: 2\n", "main.yml:2: This is not YAML"),
        ("a: 1\n\tb: 2\n", "main.yml:2: This is not YAML"),
        ("a: {b: 1, b: 2}\n", "main.yml:1: The key b is in line 1 already."),
        ("swift_replicas: 3\nswift_replicas: 2\n", "main.yml:2: The key swift_replicas is in line 1 already."),
        ("a: 1\nb: !lookup x\n", "main.yml:2: The tag !lookup means nothing here."),
        ("a: 1\n---\nb: 2\n", "main.yml:2: This is not YAML: expected a single document"),
        ("- a: 1\n", "main.yml:1: The file holds a list instead of a mapping of variables."),
        ("a: 1\nb: \x00\n", "main.yml:2: There is the control character 0x00"),
        ("a: 1\nb: 2024-13-45\n", "main.yml:2: '2024-13-45' is no date, and YAML takes it for one."),
        (f"a: {'9' * 5000}\n", "is no whole number, and YAML takes it for one."),
        (
            "a: {{ b }}\n",
            "main.yml:1: A list or a mapping is no key. Fix: Write the key as plain text, and an expression",
        ),
        ("a: {<<: 7}\n", "main.yml:1: << merges mappings, and this is none."),
    ],
)
def test_yaml_errors_name_file_and_line(inventory, validate, text, told):
    directory = inventory(cases.good("lab"))
    (directory / MAIN).write_text(text)
    (directory / "host_vars").mkdir()
    (directory / "host_vars/storage1.yml").write_text("x: 'open\n")
    status, output = validate("-i", directory)
    assert status != 0
    assert told in output
    assert "storage1.yml:" in output
    assert "WARNING" not in output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("all: {hosts: {a: \n  b: c}\n", "hosts.yml:2: This is not YAML"),
        ("all:\n\thosts:\n", "hosts.yml:2: This is not YAML"),
        ("all:\n  hosts: {a: {}, a: {}}\n", "hosts.yml:2: The key a is in line 2 already."),
        ("all:\n  host: {a: {}}\n", "hosts.yml:2: The key host of the group all is none of hosts, children, vars."),
        ("all:\n  hosts: [a, b]\n", "hosts.yml:2: hosts of the group all holds a list"),
        ("all:\n  hosts: {a: 10.0.0.1}\n", "hosts.yml:2: The host a of the group all holds a plain value"),
        ("all:\n  children: {x: {y: {}}}\n", "hosts.yml:2: The key y of the group x is none of"),
        ("all:\n  hosts: {a: {b: 2024-13-45}}\n", "hosts.yml:2: '2024-13-45' is no date"),
        ("x: {children: {y: }}\ny: {children: {x: }}\n", "hosts.yml:2: The group x stands under y, which is the same"),
        ("x: {children: {x: }}\n", "hosts.yml:1: The group x stands under x, which is the same"),
        ("- a\n", "hosts.yml:1: The file holds a list instead of a mapping of groups."),
    ],
)
def test_a_file_of_hosts_that_is_none_is_told_together_with_files_of_variables(inventory, validate, text, told):
    directory = inventory(cases.good("lab"))
    (directory / "hosts.yml").write_text(text)
    (directory / MAIN).write_bytes(b"x: \xe9\n")
    status, output = validate("-i", directory)
    assert status != 0
    assert told in output
    assert "main.yml:1: The byte 0xe9 is not UTF-8." in output
    assert "WARNING" not in output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "a ansible_host=1.2.3.4\n[b:varz]\n",
            "hosts:2: This is not INI of hosts: Section [b:varz] has unknown type",
        ),
        ("a\n[b\n", "hosts:2: This is not INI of hosts: the line can not be read."),
        ('a ansible_host="1.2.3.4\n', "hosts:1: This is not INI of hosts: Error parsing host definition"),
        (
            "[b:children]\nc\n",
            "hosts: This is not INI of hosts: Section [b:children] includes undefined group 'c'.",
        ),
        ("[b:children]\nc\n[c:children]\nb\n", "hosts: This is not INI of hosts: Adding group"),
        ("a\udcff\n", "hosts:1: The byte 0xff is not UTF-8."),
        ("all:\n  hosts: {a: {}, a: {}}\n", "hosts:2: The key a is in line 2 already."),
    ],
)
def test_a_file_of_hosts_that_does_not_say_what_it_is(inventory, validate, text, told):
    directory = inventory(cases.good("lab"))
    (directory / "hosts.yml").unlink()
    (directory / "hosts").write_text(text, errors="surrogateescape")
    (directory / "host_vars").mkdir()
    (directory / "host_vars/a.yml").write_text("x: 'open\n")
    status, output = validate("-i", directory)
    assert status != 0
    assert told in output
    assert "a.yml:" in output
    assert "WARNING" not in output


def test_an_inventory_in_ini_passes(inventory, validate):
    content = cases.good("networks-only")
    directory = inventory(content)
    (directory / "hosts.yml").unlink()
    lines = [f"{name} ansible_host={own['ansible_host']}" for name, own in content["hosts"].items()]
    (directory / "hosts").write_text("\n".join([*lines, "[rack]", *content["hosts"], ""]))
    ports = {"networks_ports": next(iter(content["hosts"].values()))["networks_ports"]}
    (directory / "group_vars/rack.yml").write_text(yaml.safe_dump(ports))
    status, output = validate("-i", directory)
    assert status == 0, output


def test_a_key_of_a_merge_may_be_replaced(inventory, validate):
    directory = inventory(cases.good("lab"))
    with (directory / MAIN).open("a") as stream:
        stream.write("site_net: &net {mtu: 9000}\nsite_other: {<<: *net, mtu: 1500}\n")
    status, output = validate("-i", directory)
    assert status == 0, output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\na: 2\n", "more.yml:2: The key a is in line 1 already."),
        ("a: [\n", "more.yml:2: This is not YAML"),
        (None, "more.yml: It can not be read: No such file or directory."),
    ],
)
def test_a_file_of_variables_on_the_command_line(inventory, validate, tmp_path_factory, text, told):
    more = tmp_path_factory.mktemp("more") / "more.yml"
    if text:
        more.write_text(text)
    status, output = validate("-i", inventory(cases.good("lab")), "-e", f"@{more}")
    assert status != 0
    assert told in output
    assert "WARNING" not in output


def test_a_file_of_variables_that_is_not_there(inventory, validate):
    directory = inventory(cases.good("lab"))
    (directory / "group_vars/keystone.yml").symlink_to("/nowhere/keystone.yml")
    status, output = validate("-i", directory)
    assert status != 0
    assert "keystone.yml: It can not be read: No such file or directory." in output


def test_hosts_that_are_gone_while_their_variables_refer_to_the_inventory(inventory, validate):
    content = cases.good("lab")
    content["vars"]["ansible_ssh_private_key_file"] = "{{ inventory_dir }}/key"
    directory = inventory(content)
    (directory / "hosts.yml").write_text("all:\n  hosts:\n")
    status, output = validate("-i", directory)
    assert status != 0
    assert "The inventory has no host." in output


def test_no_inventory_at_all(tmp_path, validate):
    (tmp_path / "hosts.yml").write_text("")
    for arguments in ((), ("-i", tmp_path / "hosts.yml"), ("-i", tmp_path / "nosuch")):
        status, output = validate(*arguments)
        assert status != 0
        assert "no host" in output or "nosuch" in output


def test_secrets_in_the_open_are_refused_and_not_shown(inventory, validate):
    directory = inventory(cases.good("lab"))
    secret = "b7Qm2Lk9Wc4Rt8Yb3Nf6Vp1Zs5Hd0JgAqEuTi"
    (directory / "group_vars/all/secrets.yml").write_text(
        f"holdfast_secrets:\n  glance_database_password: {secret}\n  rabbitmq_admin_password: {secret}\n"
    )
    status, output = validate("-i", directory, "-vvv")
    assert status != 0
    assert "stands in a file that is not encrypted" in output
    assert "holdfast_secrets.rabbitmq_admin_password: is the same as glance_database_password" in output
    assert secret not in output


def test_secrets_of_the_site_in_the_open_are_refused_and_not_shown(inventory, validate):
    directory = inventory(cases.good("lab"))
    secret = "b7Qm2Lk9Wc4Rt8Yb3Nf6"
    with (directory / MAIN).open("a") as stream:
        stream.write(f"ansible_become_password: {secret}\nsite_smtp: {{user: a, password: {secret}}}\n")
        stream.write(f"keystone_conf_overrides: {{ldap: {{password: {secret}}}}}\n")
        stream.write(f"glance_conf_overrides: {{x: {{hosts: 'ip:10.0.0.1,api_token:{secret}'}}}}\n")
        stream.write('ansible_ssh_pass: \'{{ lookup("env", "NO_SUCH") }}\'\nsite_token_file: x\nsite_pass: /etc/pass\n')
    (directory / "group_vars/nobody.yml").write_text(f"holdfast_secrets: {{a: {secret}}}\n")
    status, output = validate("-i", directory, "-vvv")
    assert status != 0
    for place in (
        "ansible_become_password",
        "site_smtp.password",
        "keystone_conf_overrides.ldap.password",
        "glance_conf_overrides.x.hosts",
    ):
        assert f"{place}: is (a secret, not shown), in a file that is not encrypted." in output
    assert "nobody.yml: holdfast_secrets: sets secrets in a file that is not encrypted" in output
    assert "ansible_ssh_pass" not in output
    assert "site_token_file" not in output
    assert "site_pass" not in output
    assert secret not in output


def test_secrets_of_the_site_in_a_vault_pass(inventory, validate):
    directory = inventory(cases.good("lab"))
    vault = Path(sys.executable).parent / "ansible-vault"
    file = directory / "group_vars/all/site.yml"
    file.write_text("site_password: hunter2\n")
    password = ["--vault-password-file", validate.password]
    subprocess.run([vault, "encrypt", file, *password], check=True, capture_output=True, cwd=directory)
    inline = subprocess.run(
        [vault, "encrypt_string", "x", "--name", "ansible_become_password", *password],
        check=True,
        capture_output=True,
        text=True,
        cwd=directory,
    )
    with (directory / MAIN).open("a") as stream:
        stream.write(f"{inline.stdout}\nkeystone_conf_overrides: {{ldap: {{password: '{{{{ site_password }}}}'}}}}\n")
    status, output = validate("-i", directory)
    assert status == 0, output


def test_secrets_in_a_vault_are_checked(inventory, validate):
    directory = inventory(cases.good("lab"))
    file = directory / "group_vars/all/secrets.yml"
    file.write_text("holdfast_secrets:\n  glance_database_password: changeme\n  keystone_admin_pasword: x\n")
    subprocess.run(
        [Path(sys.executable).parent / "ansible-vault", "encrypt", file, "--vault-password-file", validate.password],
        check=True,
        capture_output=True,
        cwd=directory,
    )
    status, output = validate("-i", directory)
    assert status != 0
    assert "glance_database_password: is a default, or contains a common word." in output
    assert "Did you mean keystone_admin_password?" in output


def test_a_vault_that_no_password_opens_is_named(inventory, validate, tmp_path_factory):
    directory = inventory(cases.good("lab"))
    file = directory / "group_vars/all/secrets.yml"
    file.write_text("holdfast_secrets: {}\n")
    other = tmp_path_factory.mktemp("other") / "password"
    other.write_text("another password")
    command = [Path(sys.executable).parent / "ansible-vault", "encrypt", file, "--vault-password-file", other]
    subprocess.run(command, check=True, capture_output=True, cwd=directory)
    status, output = validate("-i", directory)
    assert status != 0
    assert "secrets.yml can not be decrypted" in output


def test_an_expression_that_makes_a_number_beyond_counting(inventory, validate):
    directory = inventory(cases.changed({"set": {"vars/swift_replicas": "{{ 10 ** 5000 }}"}}))
    status, output = validate("-i", directory)
    assert status != 0
    assert "swift_replicas: is inf, which is no number that can be counted with" in output


def test_a_password_of_the_vault_that_is_not_there():
    environment = {**os.environ, "HOLDFAST_VAULT_PASSWORD_FILE": "/nowhere/password"}
    done = subprocess.run(
        [ROOT / "scripts/vault-password"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert done.stderr.startswith("error: HOLDFAST_VAULT_PASSWORD_FILE: is /nowhere/password, which can not be read.")


def test_an_expression_that_is_no_expression(inventory, validate):
    directory = inventory(cases.changed({"set": {"vars/holdfast_region": "{{ nope"}}))
    status, output = validate("-i", directory)
    assert status != 0
    assert "holdfast_region" in output
    assert "main.yml" in output


def test_secrets_on_the_command_line_are_refused(inventory, validate):
    status, output = validate("-i", inventory(cases.good("lab")), "-e", '{"holdfast_secrets": {"a": "b"}}')
    assert status != 0
    assert "secrets.plain" in output
