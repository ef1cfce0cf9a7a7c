# SPDX-License-Identifier: Apache-2.0
"""Files of hosts, and what stands among files of variables, that Ansible would refuse without a reason or wait for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.holdfast.storage.plugins.inventory import strict_yaml
from ansible_collections.holdfast.storage.plugins.plugin_utils import inventory_sources, yaml_files


def told(path: Path) -> list[str]:
    return [str(finding) for finding in strict_yaml._problems(str(path), None)]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("[rack.hosts.a]\n[rack.hosts\nx = 1\n", 2, "This is not TOML: Expected ']'"),
        ("[rack.hosts.a]\nx = 1\nx = 2\n", 3, "This is not TOML: Cannot overwrite a value"),
        ("[rack.hosts.a]\nx = \n", 2, "This is not TOML: Invalid value"),
        ("# nothing\n", 1, "The file holds no group."),
        ("rack = 1\n", 1, "The group rack is no table."),
        ('[rack]\nhosts = ["a"]\n', 1, "hosts of the group rack is not a table of hosts. Fix: Write [rack.hosts]."),
        ("[rack.children]\nb = 1\n", 1, 'children of the group rack is not a list. Fix: Write children = ["NAME"].'),
        ("[rack]\nvars = 3\n", 1, "vars of the group rack is not a table of variables."),
        ("\n[rack.host.a]\n", 2, "The key host of the group rack is none of hosts, vars, children."),
        ("[rack.hosts]\na = 1\n", 2, "The host a of the group rack is no table of variables."),
        ("[rack]\nchildren = [1]\n", 1, "children of the group rack has what is no text."),
    ],
)
def test_toml_that_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = tmp_path / "more.toml"
    path.write_text(text)
    (found,) = told(path)
    assert f"more.toml:{line}: {what}" in found


def test_toml_that_is_right_passes(tmp_path: Path) -> None:
    path = tmp_path / "more.toml"
    path.write_text(
        '[rack]\nchildren = ["b"]\n[rack.hosts.a]\nx = 1\n[rack.hosts]\nc = {}\n[rack.vars]\ny = [1]\n[b]\n'
    )
    assert told(path) == []


def test_ini_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "more.ini"
    path.write_bytes(b"\xef\xbb\xbf[rack]\na\n")
    (found,) = told(path)
    assert "more.ini:1: The file begins with a byte order mark" in found
    path.write_bytes(b"[rack]\na\n")
    assert told(path) == []


@pytest.mark.parametrize("name", ["more.yml", "more"])
def test_a_link_to_nothing_is_to_be_taken_out(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("nowhere")
    (found,) = told(tmp_path / name)
    assert "This link leads to nowhere, and no file is there. Fix: Put the file there, or take the link out." in found


@pytest.mark.parametrize("name", ["more.yml", "more", "more.ini", "more.toml"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert strict_yaml.InventoryModule().verify_file(str(tmp_path / name))
    (found,) = told(tmp_path / name)
    assert "It is a directory, a socket or a device, and no file." in found
    (found,) = map(str, yaml_files.problems(str(tmp_path / name), None))
    assert "and no file" in found


@pytest.mark.parametrize("before", ["\n", "---\n", "# of ours\n"])
def test_a_vault_that_does_not_begin_its_file(tmp_path: Path, before: str) -> None:
    path = tmp_path / "main.yml"
    path.write_text(f"{before}$ANSIBLE_VAULT;1.1;AES256\n3132\n")
    (found,) = map(str, yaml_files.problems(str(path), None))
    assert "main.yml:2: This vault is none to Ansible" in found
    assert "Have the file begin with $ANSIBLE_VAULT" in found


def test_variables_behind_a_link_to_nothing_are_told(tmp_path: Path) -> None:
    (tmp_path / "group_vars").symlink_to("nowhere")
    (found,) = map(str, inventory_sources.shadowed(str(tmp_path)))
    assert "group_vars: This link leads to nowhere, and nothing is there" in found
