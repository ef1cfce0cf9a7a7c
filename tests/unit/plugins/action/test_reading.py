# SPDX-License-Identifier: Apache-2.0
"""How an inventory is read: what Ansible takes otherwise than it looks is told, with its places. All in one process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import constants, context
from ansible.inventory.manager import InventoryManager
from ansible.utils.vars import load_extra_vars
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.holdfast.storage.plugins.plugin_utils import yaml_files
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

MAIN = "group_vars/all/main.yml"
Check = Callable[[dict[str, str | None]], list[str]]


@pytest.fixture
def check(controller: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Check:
    """The errors and advice of the lab's inventory, with files that are added to or put in the place of its own.

    The text of a file that begins with ``+`` is added; None takes a file away.
    """
    monkeypatch.setattr(constants, "INVENTORY_ENABLED", ["yaml", "ini"])
    monkeypatch.setattr(constants, "VARIABLE_PLUGINS_ENABLED", ["host_group_vars"])
    monkeypatch.chdir(tmp_path)
    content = cases.good("lab")
    groups = {name: {"hosts": dict.fromkeys(members)} for name, members in content["groups"].items()}
    written = {
        "hosts.yml": yaml.safe_dump({"all": {"hosts": content["hosts"], "children": groups}}),
        MAIN: yaml.safe_dump(content["vars"]),
    }

    def run(files: dict[str, str | None]) -> list[str]:
        for name, text in {**written, **files}.items():
            if text is not None:
                path = tmp_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(written.get(name, "") + text[1:] if text.startswith("+") else text)
        manager = InventoryManager(loader=controller.loader, sources=[str(tmp_path)])
        variables = VariableManager(loader=controller.loader, inventory=manager)
        hostvars = HostVars(manager, variables, controller.loader)
        controller.variables |= {
            "hostvars": hostvars,
            "groups": manager.get_groups_dict(),
            "ansible_inventory_sources": [str(tmp_path)],
        }
        result = controller.act("model", offline=True)
        assert "findings" in result, result
        found = [f"{one['code']} {one['where']}: {one['what']} {one['fix']}" for one in result["findings"]]
        return [text for text in found if not text.startswith("groups.single")]

    return run


def hosts(**own: str) -> str:
    """A file that gives hosts something more: the text of a mapping each."""
    return "all:\n  hosts:\n" + "".join(f"    {name}: {text}\n" for name, text in own.items())


@pytest.mark.parametrize(
    "files",
    [
        {},
        # The same value twice is no contradiction.
        {"more.yml": hosts(storage1="{swift_zone: 1}")},
        # What is below counts more, files more than what stands beside hosts, and a host more than its groups.
        {
            "more.yml": "racks: {children: {rack: {hosts: {storage1: {}}}}, vars: {glance_workers: 3}}\n",
            "group_vars/rack.yml": "glance_workers: 4\n",
        },
        {"more.yml": "rack: {hosts: {storage1: {}}, vars: {swift_zone: 7}}\n"},
        {"host_vars/storage1.yml": "swift_zone: 9\n"},
        {
            "more.yml": "rack: {hosts: {storage1: {}}, vars: {glance_workers: 3}}\n",
            "group_vars/rack.yml": "glance_workers: 4\n",
        },
        # Of two groups side by side somebody may say which counts; and what is the site's own is no matter of ours.
        {
            "more.yml": "a: {hosts: {storage1: {}}, vars: {glance_workers: 3, ansible_group_priority: 5}}\n"
            "b: {hosts: {storage1: {}}, vars: {glance_workers: 4}}\n"
        },
        {"more.yml": "a: {hosts: {storage1: {}}, vars: {site_x: 3}}\nb: {hosts: {storage1: {}}, vars: {site_x: 4}}\n"},
        {"host_vars/storage1/a.yml": "site_x: 1\n", "host_vars/storage1/b.yml": "site_y: 1\n"},
        # Variables may ask other hosts.
        {MAIN: "+site_first: '{{ hostvars.storage1.swift_zone }}'\nglance_workers: '{{ site_first | int + 1 }}'\n"},
        {MAIN: "+site_mode: 0644\nsite_time: 1:30\nsite_map: {on: 1, 12: 2}\n"},
        {MAIN: "+glance_workers: +5\n"},
        {MAIN: "+cinder_conf_overrides: {DEFAULT: {a: 2024-01-02, b: 1.50, c: 1.0e+3, d: yes, '010': 007}}\n"},
        {
            "host_vars/storage1.yml": "ansible_ssh_host: 172.29.236.21\n"
            'ansible_become_password: \'{{ lookup("env", "X") }}\'\n'
        },
    ],
)
def test_what_is_as_it_looks_passes(check: Check, files: dict[str, str | None]) -> None:
    assert check(files) == []


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {"more.yml": hosts(storage1="{swift_zone: 7}")},
            [
                "inventory.given-twice more.yml:3 (storage1): swift_zone: is given twice: 1 (hosts.yml:",
                "7 (more.yml:3)",
            ],
        ),
        (
            {"more.yml": "x: {hosts: {storage1: {ansible_port: 2222}}}\ny: {hosts: {storage1: {ansible_port: 22}}}\n"},
            ["ansible_port: is given twice: 2222 (more.yml:1) and 22 (more.yml:2): the host is in both places"],
        ),
        (
            {"more.ini": "[x]\nstorage1 swift_zone=5\n"},
            ["swift_zone: is given twice: 1 (hosts.yml:", "5 (more.ini:2)"],
        ),
        (
            {"more.yml": hosts(**{"storage[1:3]": "{ansible_user: a}", "storage2": "{ansible_user: b}"})},
            ["more.yml:4 (storage2): ansible_user: is given twice: 'a' (more.yml:3) and 'b' (more.yml:4)"],
        ),
        (
            {
                "more.yml": "a: {hosts: {storage1: {}}, vars: {glance_workers: 3}}\n"
                "b: {hosts: {storage1: {}}, vars: {glance_workers: 4}}\n"
            },
            ["3 (more.yml:1) and 4 (more.yml:2): the host is in a and in b, of which neither is below the other"],
        ),
        (
            {
                "more.yml": "a: {hosts: {storage1: {}}}\nb: {hosts: {storage1: {}}}\n",
                "group_vars/a.yml": "verify_exclusive: true\n",
                "group_vars/b.yml": "verify_exclusive: false\n",
            },
            ["verify_exclusive: is given twice: true (group_vars/a.yml:1) and false (group_vars/b.yml:1)"],
        ),
        (
            {
                "one.yml": "x: {vars: {glance_workers: 3}, hosts: {storage1: {}}}\n",
                "two.yml": "x: {vars: {glance_workers: 4}}\n",
            },
            ["3 (one.yml:1) and 4 (two.yml:1): both are for the group x"],
        ),
        (
            {"group_vars/all/more.yml": "holdfast_deployment: elsewhere\n"},
            ["(group_vars/all/main.yml:", "'elsewhere' (group_vars/all/more.yml:1): both are for the group all"],
        ),
        (
            {"host_vars/storage1/a.yml": "swift_zone: 3\n", "host_vars/storage1/b.yml": "swift_zone: 4\n"},
            ["3 (host_vars/storage1/a.yml:1) and 4 (host_vars/storage1/b.yml:1): both files are for the host"],
        ),
        (
            {"host_vars/storage1.yml": "ansible_ssh_host: 172.29.236.99\n"},
            ["inventory.given-twice host_vars/storage1.yml:1 (storage1): ansible_ssh_host: is '172.29.236.99', and "],
        ),
        (
            {
                "more.yml": hosts(storage1="{site_password: aaaaaaaaaaa}")
                + "x: {hosts: {storage1: {site_password: bbbbbb}}}\n"
            },
            ["site_password: is given twice: (a secret, not shown) (more.yml:3) and (a secret, not shown) (mo"],
        ),
    ],
)
def test_a_value_that_is_given_twice_is_told_with_both_places(
    check: Check, files: dict[str, str | None], told: list[str]
) -> None:
    (found,) = [text for text in check(files) if text.startswith("inventory.given-twice")]
    for text in told:
        assert text in found


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {"group_vars/all.yml": "a: 1\n"},
            ["group_vars/all.yml: Ansible passes this file over", "Move it into", "group_vars/all/more.yml"],
        ),
        (
            {"group_vars/all.json": "{}\n"},
            ["group_vars/all.json: Ansible passes this file over", "group_vars/all/main.json"],
        ),
        ({"group_vars/keystone.yaml": "a: 1\n", "group_vars/keystone/x.yml": "a: 1\n"}, ["group_vars/keystone.yaml"]),
        ({"group_vars/keystone.yaml": "a: 1\n", "group_vars/keystone.yml": "a: 1\n"}, ["group_vars/keystone.yaml"]),
        ({"host_vars/storage1.yml": "a: 1\n", "host_vars/storage1": "a: 1\n"}, ["host_vars/storage1.yml"]),
        ({"host_vars/storage1.json": "{}\n", "host_vars/storage1/x": "a: 1\n"}, ["host_vars/storage1.json"]),
        (
            {MAIN: None, "group_vars/all.yml": None},
            ["Holdfast keeps files in group_vars/all/", "group_vars/all/main.yml"],
        ),
        (
            {MAIN: None, "group_vars/all.json": None},
            ["Holdfast keeps files in group_vars/all/", "group_vars/all/main.json"],
        ),
        (
            {MAIN: None, "group_vars/all": None},
            ["Holdfast keeps files in group_vars/all/", "Rename it, make a directory"],
        ),
        (
            {MAIN: None, "group_vars/all.yml/main.yml": None},
            ["group_vars/all.yml: Holdfast keeps files in group_vars/all/", "Rename it: group_vars/all."],
        ),
        (
            {"group_vars/keystone.yml/x.yml": "a: 1\n", "group_vars/keystone.yaml": "a: 1\n"},
            ["group_vars/keystone.yaml: ", "into the directory of that name: group_vars/keystone.yml/main.yaml"],
        ),
        (
            {"group_vars/keystone.yml/x.yml": "a: 1\n", "group_vars/keystone/x.yml": "a: 1\n"},
            ["group_vars/keystone.yml: ", "Move what is in it into group_vars/keystone."],
        ),
        ({"group-vars/all.yml": "a: 1\n"}, ["group-vars: Ansible reads no variables", "is in it into group_vars."]),
        ({"Group_Vars/all/x.json": "{}\n"}, ["Group_Vars: ", "it looks for group_vars"]),
        ({"hostvars/storage1": "a: 1\n"}, ["hostvars: ", "Rename it: host_vars."]),
        ({"hosts_vars/storage1/x.yaml": "a: 1\n"}, ["hosts_vars: ", "Rename it: host_vars."]),
        ({"gruop_vars/all.yml": "a: 1\n"}, ["gruop_vars: ", "it looks for group_vars"]),
        ({"host_vars": "a: 1\n"}, ["host_vars: This is a file where Ansible looks for a directory"]),
    ],
)
def test_a_file_that_is_passed_over_is_told_before_anything_is_written(
    check: Check, tmp_path: Path, files: dict[str, str | None], told: list[str]
) -> None:
    if files.get(MAIN, "") is None:
        files = {MAIN: None, **{name: yaml.safe_dump(cases.good("lab")["vars"]) for name in files if name != MAIN}}
    (found,) = [text for text in check(files) if text.startswith("inventory.shadowed")]
    for text in told:
        assert text in found
    assert not list(tmp_path.rglob("secrets.yml"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("group_vars/swift_storage.yml/x.yml", False),
        ("group_vars/swift_storage", False),
        ("group_vars/swift_storag", True),
        ("host_vars/Storage1.yml", True),
        ("host_vars/storag1.yml/x.yml", True),
    ],
)
def test_a_file_of_variables_that_is_for_nobody_is_told(check: Check, name: str, *, told: bool) -> None:
    assert bool([one for one in check({name: "glance_workers: 2\n"}) if one.startswith("hosts.variable-file")]) == told


@pytest.mark.parametrize(
    "name", ["group_vars.old/all.yml", "host_vars2/storage1.yml", "vars/all.yml", "host-vars/notes.md"]
)
def test_a_directory_that_was_put_aside_is_no_matter(check: Check, name: str) -> None:
    assert not [text for text in check({name: "a: 1\n"}) if text.startswith("inventory.shadowed")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("glance_workers: 010\n", "glance_workers: is 8: YAML reads 010 so. Write 10 if that is meant, or 8"),
        ("glance_workers: '{{ site_workers }}'\nsite_workers: 0200\n", "is 128: YAML reads 0200 so. Write 200"),
        ("glance_workers: 1:30\n", "is 90: YAML reads 1:30 so"),
        ("ceph_pools: [{name: a, application: rbd, pg_num: 040}]\n", "ceph_pools[0].pg_num: is 32: YAML reads 040 so"),
        ("glance_conf_overrides: {DEFAULT: {a: 2024-01-02T03:04:05Z}}\n", "Put it in quotes"),
        ("glance_conf_overrides: {DEFAULT: {a: 190:20:30.15}}\n", "YAML reads 190:20:30.15 so"),
        ("glance_conf_overrides: {DEFAULT: {on: 5}}\n", "DEFAULT.True: is a name that YAML reads as true"),
        ("glance_conf_overrides: {DEFAULT: {~: 5}}\n", "DEFAULT.None: is a name that YAML reads as none"),
        ("glance_conf_overrides: {DEFAULT: {010: 5}}\n", "DEFAULT.8: is a name that YAML reads so; 010 stands there"),
        ("ansible_port: 02222\n", "ansible_port: is 1170: YAML reads 02222 so"),
    ],
)
def test_a_number_that_is_read_as_another_is_told(check: Check, text: str, told: str) -> None:
    found = check({MAIN: f"+{text}"})
    assert any(one.startswith(f"inventory.reading {MAIN}:") and told in one for one in found), found
    assert not [one for one in found if one.startswith("schema.")]


def test_a_number_of_the_command_line_that_is_read_as_another_is_told(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = (
        '{"glance_workers": 16}',
        '{"keystone_workers": 010, "placement_workers": 0b11}',
        '{"glance_threads": 0:16}',
    )
    monkeypatch.setattr(context, "CLIARGS", {**context.CLIARGS, "extra_vars": (*texts, '{"glance_threads": 1:00}')})
    monkeypatch.setattr(load_extra_vars, "extra_vars", {}, raising=False)
    found = check({})
    assert any("keystone_workers: is 8: YAML reads 010 so. Write 10 if that is meant, or 8" in one for one in found)
    assert all(one.startswith("inventory.reading -e:1 (") for one in found), found
    assert any("glance_threads: is 60: YAML reads 1:00 so" in one for one in found)
    assert not any("glance_workers" in one for one in found if one.startswith("inventory.reading"))


@pytest.mark.parametrize("text", ["0x10", "0b11", "1_6"])
def test_a_number_in_another_notation_is_told_and_passes(check: Check, text: str) -> None:
    (found,) = check({MAIN: f"+glance_workers: {text}\n"})
    assert f"written as {text}." in found


@pytest.mark.parametrize("name", ["ansible_become_password", "ansible_become_pass", "ansible_user", "ansible_ssh_pass"])
def test_a_connection_that_refers_to_nothing_is_told_of_any_host(check: Check, name: str) -> None:
    (found,) = check({"host_vars/storage2.yml": f"{name}: '{{{{ site_nothing }}}}'\n"})
    assert found.startswith(f"inventory.undefined host_vars/storage2.yml:1 (storage2): {name}: can not be evaluated")


def test_a_group_is_told_with_its_line(check: Check) -> None:
    found = check({"more.yml": "all:\n  children:\n    etcd:\n    swift_storag: {hosts: {control1: {}}}\n"})
    assert any(one.startswith("groups.empty more.yml:3: etcd") for one in found)
    assert any(one.startswith("groups.misspelt more.yml:4: swift_storag") for one in found)


def test_a_group_that_is_missing_is_told_with_the_line_of_one_that_needs_it(check: Check) -> None:
    text = yaml.safe_load(yaml.safe_dump({"all": {"hosts": cases.good("lab")["hosts"]}}))
    groups = {name: {"hosts": dict.fromkeys(them)} for name, them in cases.good("lab")["groups"].items()}
    del groups["mariadb"]
    found = check({"hosts.yml": yaml.safe_dump({**text, **groups})})
    (missing,) = [one for one in found if one.startswith("groups.missing")]
    assert missing.startswith("groups.missing hosts.yml:")
    assert ": mariadb: The group mariadb is missing" in missing


def test_a_key_that_is_there_twice_does_not_hide_the_rest(check: Check) -> None:
    found = check(
        {MAIN: "+holdfast_deployment: a\nglance_workers: many\n", "host_vars/storage1.yml": "swift_zone: -1\n"}
    )
    assert any("The key holdfast_deployment is in line" in one for one in found)
    assert any("glance_workers: is 'many'" in one for one in found)
    assert any("swift_zone: is -1" in one for one in found)


def test_a_file_that_may_not_be_read_is_told(check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hosts").write_text("storage1\n")

    def refused(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refused)
    (found,) = yaml_files.problems(str(tmp_path / "hosts"), None)
    assert str(found) == (
        "error: hosts: It can not be read: Permission denied. Fix: Let the user who runs this read it. [inventory.file]"
    )
