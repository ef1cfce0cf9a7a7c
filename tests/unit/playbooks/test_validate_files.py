# SPDX-License-Identifier: Apache-2.0
"""Files that are none, connections that refer to nothing, and what the command line gives, through validate.yml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

MAIN = "group_vars/all/main.yml"


def test_what_is_wrong_elsewhere_is_told_beside_a_file_that_can_not_be_read(inventory, validate):
    directory = inventory(cases.good("lab"))
    (directory / "group_vars/control1.yml").write_text("a: [\n")
    (directory / "host_vars").mkdir()
    (directory / "host_vars/storage1.yml").write_text("swift_zone: -1\n12: x\n")
    (directory / "host_vars/storage2.yml").write_text("swift_zone: -2\n")
    with (directory / MAIN).open("a") as stream:
        stream.write("cinder_conf_overrides: &x {DEFAULT: *x}\n")
    status, output = validate("-i", directory)
    assert status != 0
    assert "control1.yml:2: This is not YAML" in output
    assert "storage1.yml:2: 12 is a whole number to YAML, and no name of a variable." in output
    assert "The anchor of this is used inside itself" in output
    assert "(storage2): swift_zone: is -2" in output
    assert "is not set" not in output
    assert "Traceback" not in output


def test_every_file_beside_hosts_that_is_none_is_told(inventory, validate):
    directory = inventory(cases.good("lab"))
    (directory / "others").mkdir()
    (directory / "others/mark.x").write_bytes(b"logo\x82\x05\xff\x00")
    (directory / "notes").write_text("ask the network team about vlans\n")
    (directory / "more.yml").write_text(
        "all: {hosts: {on: {}, ~: {}, 1.5: {}, 2024-01-01: {}, 12: {no: 1}, 'a[3:1]': , 'b[1:': , 'c[x:2]': },"
        " children: {off: {}}, vars: {x: !vault [a]}}\n"
    )
    status, output = validate("-i", directory)
    assert status == 4
    for text in (
        "others/mark.x: This is no file of hosts. The byte 0x82 is not UTF-8. Fix: If it is no file of hosts, move it",
        "notes:1: This is not INI of hosts",
        "more.yml:1: on is a truth value to YAML, and no name of a host.",
        "more.yml:1: ~ is nothing to YAML, and no name of a host.",
        "more.yml:1: 1.5 is a number to YAML, and no name of a host.",
        "more.yml:1: 2024-01-01 is a date to YAML, and no name of a host.",
        "more.yml:1: 12 is a whole number to YAML, and no name of a host.",
        "more.yml:1: no is a truth value to YAML, and no name of a variable.",
        "more.yml:1: off is a truth value to YAML, and no name of a group.",
        "more.yml:1: a[3:1] is no range of hosts",
        "more.yml:1: b[1: is no range of hosts",
        "more.yml:1: c[x:2] is no range of hosts",
        "more.yml:1: !vault stands before a list or a mapping",
    ):
        assert text in output
    assert "WARNING" not in output


def test_an_empty_directory_beside_hosts_is_no_matter(inventory, validate):
    directory = inventory(cases.good("lab"))
    (directory / "others").mkdir()
    status, output = validate("-i", directory)
    assert status == 0, output


def test_files_of_variables_that_ansible_passes_over_are_told_and_notes_are_no_matter(inventory, validate):
    directory = inventory(cases.good("lab"))
    (directory / "host_vars").mkdir()
    for name in ("group_vars/all/more.YML", "host_vars/storage1.txt", "group_vars/swift_storage.ymal"):
        (directory / name).write_text("glance_workers: 2\n")
    (directory / "group_vars/all/README.txt").write_text("Ask the network team, they know.\n")
    (directory / "group_vars/all/main.yml.bak").write_text("glance_workers: 2\n")
    (directory / "group_vars/all/loop").symlink_to("..")
    status, output = validate("-i", directory)
    assert status != 0
    for text in (
        "more.YML: Ansible passes this file over: it reads files that end with .yml, .yaml, .json.",
        "storage1.txt: Ansible passes this file over",
        "swift_storage.ymal: Ansible passes this file over",
        "loop: This link leads back to",
    ):
        assert text in output
    assert len([line for line in output.splitlines() if line.strip().startswith("error: ")]) == 4


def test_two_inventories_that_give_a_group_other_values_are_told(inventory, validate):
    directory = inventory(cases.good("lab"))
    with (directory / MAIN).open("a") as stream:
        stream.write("glance_workers: 2\nkeystone_workers: 2\n")
    (directory / "two/group_vars").mkdir(parents=True)
    (directory / "two/hosts.yml").write_text("all: {hosts: {storage1: }}\n")
    (directory / "two/group_vars/all").mkdir()
    (directory / "two/group_vars/all/main.yml").write_text("glance_workers: 3\nkeystone_workers: 2\n")
    status, output = validate("-i", directory / "hosts.yml", "-i", directory / "two/hosts.yml")
    assert status != 0
    assert "glance_workers: is given twice: 2" in output
    assert "keystone_workers: is given twice" not in output


def test_numbers_and_truth_in_ini_are_told_with_what_helps_there(inventory, validate):
    directory = inventory(cases.good("lab"))
    text = "glance_workers=0x10\nkeystone_workers=1_0\nglance_notifications=yes\nhaproxy_source_connections=100\n"
    (directory / "more.ini").write_text(f"[all:vars]\n{text}")
    status, output = validate("-i", directory)
    assert status != 0
    assert "glance_workers: is 16, written as 0x10." in output
    assert "keystone_workers: is 10, written as 1_0." in output
    assert "Write true without quotes, in a file of hosts in INI True" in output
    assert "haproxy_source_connections" not in output


def test_a_file_of_hosts_in_a_vault_is_told_by_its_line_or_by_its_password(inventory, validate, tmp_path_factory):
    directory = inventory(cases.good("lab"))
    vault = [Path(sys.executable).parent / "ansible-vault", "encrypt", directory / "more.yml", "--vault-password-file"]
    (directory / "more.yml").write_text("all:\n  hosts: [a]\n")
    subprocess.run([*vault, validate.password], check=True, capture_output=True, cwd=directory)
    status, output = validate("-i", directory)
    assert status == 4
    assert "more.yml:2: hosts of the group all holds a list" in output
    other = tmp_path_factory.mktemp("other") / "password"
    other.write_text("another password")
    (directory / "more.yml").write_text("all:\n  hosts: {a: }\n")
    subprocess.run([*vault, other], check=True, capture_output=True, cwd=directory)
    status, output = validate("-i", directory)
    assert status == 4
    assert "more.yml can not be decrypted" in output


def test_a_program_that_is_no_inventory_is_told(inventory, validate):
    directory = inventory(cases.good("lab"))
    (directory / "deploy.sh").write_text("#!/bin/sh\nexit 1\n")
    (directory / "deploy.sh").chmod(0o755)
    status, output = validate("-i", directory)
    assert status == 4
    assert "deploy.sh: This is no file of hosts. As a program, it fails" in output


def test_an_inventory_that_is_not_there_or_empty_is_told(tmp_path, validate):
    (tmp_path / "empty").mkdir()
    status, output = validate("-i", tmp_path / "nosuch")
    assert status == 4
    assert "nosuch: There is no such file or directory. Fix: Name the file or the directory" in output
    status, output = validate("-i", tmp_path / "empty")
    assert status != 0
    assert "empty: There is no file of hosts in this directory. Fix: Put one there" in output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("swift_part_power=10", """Give JSON: -e '{"swift_part_power": 10}'."""),
        ("verify_exclusive=true", """Give JSON: -e '{"verify_exclusive": true}'."""),
        ('{"swift_part_power": [}', "-e:1: This is not YAML"),
        ("{12: x}", "-e:1: 12 is a whole number to YAML, and no name of a variable."),
    ],
)
def test_what_the_command_line_gives_is_told_with_what_helps(inventory, validate, text, told):
    status, output = validate("-i", inventory(cases.good("lab")), "-e", text)
    assert status != 0
    assert told in output


def test_a_connection_that_refers_to_nothing_is_told_also_of_the_first_host(inventory, validate):
    directory = inventory(cases.good("lab"))
    with (directory / MAIN).open("a") as stream:
        for name in ("become_password", "user", "port", "connection", "shell_type", "remote_tmp", "timeout"):
            stream.write(f"ansible_{name}: '{{{{ site_nothing }}}}'\n")
    status, output = validate("-i", directory)
    assert status != 0
    for name in ("become_password", "user", "port", "connection", "shell_type", "timeout"):
        assert f"ansible_{name}: can not be evaluated: 'site_nothing' is undefined." in output
    assert "Error processing keyword" not in output
