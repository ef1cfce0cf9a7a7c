# SPDX-License-Identifier: Apache-2.0
"""Files of hosts in TOML: what is wrong with them, before Ansible refuses them without a line or a reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.parsing.dataloader import DataLoader

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding
from ansible_collections.holdfast.storage.plugins.plugin_utils import yaml_files

ENDING = ".toml"
_FORMS = {"hosts": (dict, "a table of hosts"), "vars": (dict, "a table of variables"), "children": (list, "a list")}


def hosts_file(path: str, loader: DataLoader | None) -> list[Finding]:
    """What is wrong with a file of hosts and groups: it is not text, not TOML, or not of their form."""
    if unreadable := yaml_files.not_text(path, loader):
        return unreadable
    with open(path, "rb") as stream:
        text = stream.read().decode()
    if text.startswith("$ANSIBLE_VAULT"):
        return []
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [_broken(path, text, " ".join(str(error).split()))]
    except RecursionError:
        return [_finding(path, 1, "Lists and tables are in one another too many times.", "Write it in fewer levels.")]
    if not content:
        return [_finding(path, 1, "The file holds no group.", "Write one, as [NAME.hosts.HOST], or take the file out.")]
    return [found for name, group in content.items() for found in _group(path, text, name, group)]


def _broken(path: str, text: str, reason: str) -> Finding:
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", reason)
    line = int(found[1]) if found and found[1] else max(1, len(text.splitlines()))
    what = f"This is not TOML: {reason[: found.start()] if found else reason}."
    return _finding(path, line, what, f"Correct the line.{yaml_files.or_move(path)}")


def _group(path: str, text: str, name: str, group: Any) -> Iterator[Finding]:
    line = _line(text, name)
    if not isinstance(group, Mapping):
        what, fix = f"The group {name} is no table.", f"Begin it with [{name}.hosts] or [{name}.vars]."
        yield _finding(path, line, what, fix)
        return
    for key, value in group.items():
        line = _line(text, name, key)
        if key not in _FORMS:
            what = f"The key {key} of the group {name} is none of {', '.join(_FORMS)}."
            yield _finding(path, line, what, "Variables of a group stand under vars, its hosts under hosts.")
            continue
        kind, form = _FORMS[key]
        if not isinstance(value, kind):
            fix = f"Write [{name}.{key}]" if kind is dict else f'Write {key} = ["NAME"]'
            yield _finding(path, line, f"{key} of the group {name} is not {form}.", f"{fix}.")
        elif key == "hosts":
            for host, variables in value.items():
                if not isinstance(variables, Mapping):
                    what = f"The host {host} of the group {name} is no table of variables."
                    yield _finding(path, _line(text, host), what, f"Write [{name}.hosts.{host}], or {host} = {{}}.")
        elif key == "children" and not all(isinstance(child, str) for child in value):
            yield _finding(path, line, f"children of the group {name} has what is no text.", 'Write ["NAME"].')


def _line(text: str, *names: str) -> int:
    """The first line that has the names, as far as a text tells it; the first of all when none does."""
    for wanted in (names, names[:1]):
        for number, line in enumerate(text.splitlines(), 1):
            if all(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", line) for name in wanted):
                return number
    return 1


def _finding(path: str, line: int, what: str, fix: str) -> Finding:
    return Finding("error", "inventory.toml", f"{yaml_files.short(path)}:{line}", what, fix)
