# SPDX-License-Identifier: Apache-2.0
"""Vars plugin ``strict_yaml``: gives no variables, but refuses files of variables that are not what they look like.

Ansible names neither file nor line when a file in ``group_vars`` or ``host_vars`` is not YAML, stops at the first such
file, and takes the last of two equal keys.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import yaml
from ansible.errors import AnsibleParserError
from ansible.plugins.vars import BaseVarsPlugin

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding, HoldfastError
from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store

DOCUMENTATION = r"""
name: strict_yaml
version_added: "1.0.0"
short_description: Refuse files of variables with YAML errors or with a key twice
description:
  - Reads the YAML files in the directories C(group_vars) and C(host_vars) beside an inventory or a playbook.
  - Fails with every error in every one of them, each with its file and line, before Ansible uses them.
  - A file that no vault password decrypts is told by its name, too.
  - Enable it before P(ansible.builtin.host_group_vars#vars), in C(vars_plugins_enabled) of C(ansible.cfg).
author:
  - Holdfast contributors (@holdfast)
"""

_DIRECTORIES = ("group_vars", "host_vars")
_ENDINGS = ("", ".yml", ".yaml", ".json")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SEEN: set[str] = set()


class VarsModule(BaseVarsPlugin):  # type: ignore[misc]
    """What Ansible calls for each source of variables and each group of entities."""

    is_stateless = True

    def get_vars(self, loader: Any, path: str, entities: Any, cache: bool = True) -> dict[str, Any]:
        """No variables. Raises AnsibleParserError with all problems of the files beside ``path``, once a process."""
        del entities, cache
        directory = path if os.path.isdir(path) else os.path.dirname(path)
        if directory not in _SEEN:
            _SEEN.add(directory)
            findings = [finding for file in _files(directory) for finding in problems(file, loader)]
            if findings:
                title = f"{len(findings)} problem{'' if len(findings) == 1 else 's'} in files of variables."
                raise AnsibleParserError("\n".join([title, *map(str, findings)]))
        return {}


def problems(path: str, loader: Any) -> list[Finding]:
    """What is wrong with a file: it can not be decrypted, is not YAML, or has a key twice."""
    with open(path, "rb") as stream:
        content = stream.read()
    try:
        content = secret_store.decrypted(loader, content, path)
    except HoldfastError as error:
        what, _, fix = error.message.partition(". ")
        return [Finding("error", "inventory.vault", _short(path), f"{what}.", fix)]
    try:
        node = yaml.compose(content, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(text for text in (error.context, error.problem) if text)
        return [_finding(path, mark.line + 1 if mark else 1, f"This is not YAML: {reason}.", "Correct the line.")]
    except yaml.YAMLError as error:
        return [_finding(path, 1, f"This is not YAML: {' '.join(str(error).split())}.", "Correct the file.")]
    return list(_doubles(path, node)) if node else []


def _doubles(path: str, node: yaml.Node) -> Iterator[Finding]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _doubles(path, item)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in lines:
                    what = f"The key {key.value} is in line {lines[key.value]} already."
                    yield _finding(path, line, what, "Leave one of the two.")
                lines[key.value] = line
            yield from _doubles(path, value)


def _finding(path: str, line: int, what: str, fix: str) -> Finding:
    return Finding("error", "inventory.yaml", f"{_short(path)}:{line}", what, fix)


def _short(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith("../..") else relative


def _files(directory: str) -> Iterator[str]:
    for name in _DIRECTORIES:
        for parent, directories, files in os.walk(os.path.join(directory, name), followlinks=True):
            directories[:] = sorted(directory for directory in directories if not _is_passed_over(directory))
            for file in sorted(files):
                if os.path.splitext(file)[1] in _ENDINGS and not _is_passed_over(file):
                    yield os.path.join(parent, file)


def _is_passed_over(name: str) -> bool:
    return name.startswith(".") or name.endswith("~")
