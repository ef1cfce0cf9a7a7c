# SPDX-License-Identifier: Apache-2.0
"""Every command in the documentation can be run as it stands, as far as that can be told without running it.

A command stands in a block of the language ``console``. A block below ``<!-- example -->`` is an example and is left
alone. What is checked is in docs/contributing.md.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from ansible.cli.adhoc import AdHocCLI
from ansible.cli.playbook import PlaybookCLI
from ansible.cli.vault import VaultCLI

from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import declarations

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
MADE = {"inventory/mine", "inventory/mine/.holdfast/clouds.yaml"}
"""What the reader has made by an earlier command."""
PLACEHOLDERS = {"INVENTORY": "inventory/sample", "HOST": "node1"}
BLOCK = re.compile(r"^(?P<indent> *)(?P<example><!-- example -->\n+ *)?```console\n(?P<text>.*?)^ *```$", re.M | re.S)


class Command(NamedTuple):
    """A command, where it stands, and its words."""

    page: str
    line: str
    words: list[str]


def commands(page: Path) -> Iterator[Command]:
    """The commands of a page that are no examples. Where a block has prompts, other lines are output."""
    for block in BLOCK.finditer(page.read_text()):
        if block["example"]:
            continue
        lines = [line.strip() for line in re.sub(r"\\\n\s*", "", block["text"]).splitlines() if line.strip()]
        prompted = [line[2:] for line in lines if line.startswith("$ ")]
        for line in prompted or lines:
            for part in re.split(r" (?:&&|\|\||\|) ", line):
                words = [PLACEHOLDERS.get(word, word) for word in shlex.split(part, comments=True)]
                if words:
                    yield Command(str(page.relative_to(ROOT)), line, words)


# -- programs -----------------------------------------------------------------------------------------------------


def make(words: list[str]) -> None:
    """Targets and variables of the Makefile, and what they name."""
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([.\w/-]+):", text, re.M))
    for word in words:
        name, given, value = word.partition("=")
        if not given:
            assert name in targets, f"no target {name}"
            continue
        assert re.search(rf"\$\({name}\)|\${{{name}}}|\$\(if \$\({name}\)", text), f"the Makefile reads no {name}"
        place = {"SCENARIO": f"molecule/{value}", "TOPOLOGY": f"inventory/lab-{value}"}.get(name)
        assert place is None or (ROOT / place).is_dir(), f"no {place}"


def ansible(cli: type, words: list[str]) -> Any:
    """The options of a program of Ansible's, by its own parser; the inventory is there."""
    parser = cli([cli.name, *words])
    parser.init_parser()
    options = parser.parser.parse_args(words)
    for inventory in getattr(options, "inventory", None) or ():
        assert inventory in MADE or (ROOT / inventory).exists() or "," in inventory, f"no inventory {inventory}"
    return options


@functools.cache
def playbook_text() -> str:
    paths = [*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "roles").glob("*/tasks/*.yml")]
    return "\n".join(path.read_text() for path in paths)


@functools.cache
def known_variables() -> set[str]:
    return set(declarations.load_roles(ROOT / "roles").variables)


def extra_variables(text: str) -> set[str]:
    """The names of the variables that an ``-e`` sets."""
    if text.startswith("{"):
        return set(json.loads(text))
    return {word.partition("=")[0] for word in shlex.split(text)}


def ansible_playbook(words: list[str]) -> None:
    options = ansible(PlaybookCLI, words)
    for playbook in options.args:
        content = yaml.safe_load((ROOT / playbook).read_text())
        assert all("hosts" in play or "ansible.builtin.import_playbook" in play for play in content)
    for text in options.extra_vars:
        for name in extra_variables(text):
            asked = re.search(rf"\b{name}\b", playbook_text())
            assert name in known_variables() or asked, f"nothing reads the variable {name}"
    for tag in options.tags or ():
        assert re.search(rf"tags: \[[^]]*\b{tag}\b", playbook_text()), f"no tag {tag}"


def ansible_adhoc(words: list[str]) -> None:
    ansible(AdHocCLI, words)


def ansible_vault(words: list[str]) -> None:
    options = ansible(VaultCLI, words)
    for file in getattr(options, "args", ()):
        assert file.partition("/group_vars/")[0] in MADE or (ROOT / file).exists(), f"no file {file}"


@functools.cache
def openstack_commands() -> dict[str, importlib.metadata.EntryPoint]:
    """The commands of the openstack client for what Holdfast deploys, by their words."""
    apis = ("common", "identity.v3", "image.v2", "object_store.v1", "volume.v3")
    points = [point for api in apis for point in importlib.metadata.entry_points(group=f"openstack.{api}")]
    return {point.name.replace("_", " "): point for point in points}


def openstack(words: list[str]) -> None:
    """The command is there, and its own parser takes the arguments."""
    words = list(words)
    if words[:1] == ["--os-cloud"]:
        del words[:2]
    length = max((n for n in range(len(words) + 1) if " ".join(words[:n]) in openstack_commands()), default=0)
    assert length, f"the openstack client has no command {' '.join(words)}"
    parser = openstack_commands()[" ".join(words[:length])].load()(None, None).get_parser("openstack")
    parser.parse_args(words[length:])


def pytest_(words: list[str]) -> None:
    for word in words:
        path = ROOT / word.partition("::")[0]
        assert word.startswith("-") or "/" not in word or path.exists(), f"no {word}"


def molecule(words: list[str]) -> None:
    assert words[0] in ("converge", "verify", "destroy", "test")
    assert (ROOT / "molecule" / words[words.index("-s") + 1]).is_dir()


def copy(words: list[str]) -> None:
    *_, source, target = words
    assert (ROOT / source).exists(), f"no {source}"
    assert target in MADE


def of_the_project(program: str, words: list[str]) -> None:
    """A script or a program of the tests: it can be run, and has the options that are given."""
    path = ROOT / program
    assert os.access(path, os.X_OK), f"{program} cannot be run"
    for word in words:
        assert not word.startswith("--") or word in path.read_text(), f"{program} has no option {word}"
        assert not word.startswith("inventory/") or word in MADE or (ROOT / word).is_dir(), f"no {word}"


def python(words: list[str]) -> None:
    program, *rest = words
    text = (ROOT / program).read_text()
    for word in rest:
        assert not word.startswith("--") or word in text, f"{program} has no option {word}"


def nothing(words: list[str]) -> None:
    """Of the shell, and of what the reader's machine has."""


def ssh(words: list[str]) -> None:
    assert words[:2] == ["-F", ".lab/ssh/config"]


def export(words: list[str]) -> None:
    for word in words:
        assert word.partition("=")[2] in MADE, f"{word} names nothing that the reader has made"


PROGRAMS: dict[str, Callable[[list[str]], None]] = {
    "make": make,
    "ansible": ansible_adhoc,
    "ansible-playbook": ansible_playbook,
    "ansible-vault": ansible_vault,
    "openstack": openstack,
    "pytest": pytest_,
    "molecule": molecule,
    "python": python,
    "cp": copy,
    "cd": nothing,
    "export": export,
    "ssh": ssh,
}


def check(words: list[str]) -> None:
    """Raises what says why the command can not be run as it stands."""
    program, *rest = words
    if re.match(r"(scripts|tests)/", program):
        of_the_project(program, rest)
        return
    name = program.removeprefix(".venv/bin/")
    assert name in PROGRAMS, f"{name} is not checked here: mark the block with <!-- example --> in the line above"
    assert name == program or name in ("ansible", "ansible-vault") or (ROOT / program).exists()
    PROGRAMS[name](rest)


# The libraries of the openstack client warn of one another when they are imported.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# -- tests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_can_be_run_as_they_stand(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = []
    for command in commands(page):
        try:
            check(command.words)
        except SystemExit:
            wrong.append(f"{command.line}: {capsys.readouterr().err.strip().splitlines()[-1]}")
        except (AssertionError, OSError, ValueError, LookupError) as error:
            wrong.append(f"{command.line}: {error}")
    assert wrong == []


def test_there_are_commands() -> None:
    found = [command for page in PAGES for command in commands(page)]
    assert len(found) > 50
    assert {"make", ".venv/bin/ansible-playbook", ".venv/bin/openstack"} <= {command.words[0] for command in found}


@pytest.mark.parametrize(
    "line",
    [
        "make labb",
        "make molecule SCENARIO=nowhere",
        "make test SCENARIOS=all",
        ".venv/bin/ansible-playbook -i inventory/none playbooks/site.yml",
        ".venv/bin/ansible-playbook -i inventory/lab playbooks/none.yml",
        ".venv/bin/ansible-playbook -i inventory/lab playbooks/site.yml --difference",
        ".venv/bin/ansible-playbook -i inventory/lab playbooks/site.yml -e not_a_variable=1",
        ".venv/bin/ansible-playbook -i inventory/lab playbooks/site.yml --tags nothing",
        ".venv/bin/openstack --os-cloud lab container make photos",
        ".venv/bin/openstack --os-cloud lab volume create --sizes 1 x",
        "scripts/none inventory/lab",
        "tests/integration/kill.py inventory/lab --none",
        "cp -r inventory/none inventory/mine",
        "frobnicate",
    ],
)
def test_a_command_that_can_not_be_run_is_told(line: str) -> None:
    with pytest.raises((AssertionError, OSError, SystemExit)):
        check(shlex.split(line))
