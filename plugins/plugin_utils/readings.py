# SPDX-License-Identifier: Apache-2.0
"""Numbers that Ansible reads otherwise than they look, since its YAML is of version 1.1: 0200 is 128, 1:30 is 90."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Severity
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.build import HostProblem
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.schema import KeyPath
from ansible_collections.holdfast.storage.plugins.plugin_utils import origins, secret_store, yaml_files

CODE = "inventory.reading"
Odd = tuple[KeyPath, Severity, str, str]
"""Where, how bad, what and the fix."""


class Readings:
    """Tells values of variables whose text in their file means another number to people."""

    def __init__(self, loader: DataLoader | None) -> None:
        self._loader = loader
        self._files: dict[str, yaml_files.Odd] = {}
        self._known: dict[int, list[Odd]] = {}

    def problems(self, host: str, name: str, written: Any, value: Any) -> Iterator[HostProblem]:
        """Of one variable of a host: as it stands in its file, and as it is once its expressions are evaluated."""
        # The same of many hosts is one object, as long as it holds no expression.
        found = self._known.get(id(written))
        if found is None:
            found = [*self._odd((), value), *self._odd_in_ini(name, value)]
            if not _has_expression(written):
                self._known[id(written)] = found
        for path, severity, what, fix in found:
            yield HostProblem(CODE, host, (name, *path), what, fix, severity)

    def _odd(self, path: KeyPath, value: Any) -> Iterator[Odd]:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                name = origins.text(key)
                yield from self._key((*path, name), key)
                yield from self._odd((*path, name), inner)
        elif isinstance(value, (list, tuple)):
            for index, inner in enumerate(value):
                yield from self._odd((*path, index), inner)
        elif not isinstance(value, str) and (typed := self._typed(value)):
            if self._is_secret(value):
                yield path, "error", "is no number as it looks, and YAML reads it as one.", "Put it in quotes."
            elif typed[1]:
                yield path, "error", f"is {origins.plain(value)}: YAML reads {typed[0]} so.", _meant(typed[0], value)
            else:
                what = f"is {origins.plain(value)}, written as {typed[0]}."
                yield path, "advice", what, "Write it in decimal digits alone, or in quotes if it is text."

    def _odd_in_ini(self, name: str, value: Any) -> Iterator[Odd]:
        """A number of a file of hosts in INI, which takes Python's words for numbers: 0x1F, 1_000."""
        tag = origins.tag(value)
        if isinstance(value, (str, bool)) or not isinstance(value, (int, float)) or not tag or not tag.line_num:
            return
        if not tag.path or not os.path.isfile(tag.path) or yaml_files.is_yaml(tag.path, self._loader):
            return
        written = _given_in_ini(tag.path, tag.line_num, name)
        if written and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", written):
            yield (), "advice", f"is {origins.plain(value)}, written as {written}.", "Write it in decimal digits alone."

    def _key(self, path: KeyPath, key: Any) -> Iterator[Odd]:
        """A name that is no text: what it becomes is not what stands there."""
        fix = "Put the name in quotes."
        if key is None or isinstance(key, bool):
            yield path, "error", f"is a name that YAML reads as {str(key).lower()}.", fix
        elif not isinstance(key, str) and (typed := self._typed(key)):
            yield path, "error", f"is a name that YAML reads so; {typed[0]} stands there.", fix

    def _typed(self, value: Any) -> tuple[str, bool] | None:
        tag = origins.tag(value)
        if not tag or not tag.line_num or not tag.col_num:
            return None
        if not tag.path:
            # Of several texts of the command line, no value says from which it is.
            given = [odd.get((tag.line_num, tag.col_num)) for odd in yaml_files.odd_on_command_line()]
            return next((one for one in given if one and yaml.safe_load(one[0]) == value), None)
        if tag.path not in self._files:
            is_yaml = os.path.isfile(tag.path) and yaml_files.is_yaml(tag.path, self._loader)
            self._files[tag.path] = yaml_files.odd_readings(tag.path, self._loader) if is_yaml else {}
        return self._files[tag.path].get((tag.line_num, tag.col_num))

    def _is_secret(self, value: Any) -> bool:
        tag = origins.tag(value)
        return bool(tag and tag.path and secret_store.is_encrypted(tag.path))


def _given_in_ini(path: str, line: int, name: str) -> str:
    """The text that a line of a file of hosts in INI gives to a variable; empty when it gives none."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        text = next(itertools.islice(stream, line - 1, None), "")
    found = re.search(rf"(?:^|\s){re.escape(name)}\s*=\s*([^\s'\"#]+)", text)
    return found[1] if found else ""


def _meant(typed: str, value: Any) -> str:
    """What to write for what may be meant by it."""
    if not isinstance(value, (int, float)):
        return f'Put it in quotes: "{typed}".'
    digits = typed.replace("_", "").lstrip("+-")
    if digits.isdecimal():
        return f"Write {digits.lstrip('0')} if that is meant, or {origins.plain(value)}, and text in quotes."
    return f'Put it in quotes if it is text, "{typed}", or write {origins.plain(value)}.'


def _has_expression(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_expression(inner) for inner in value.values())
    if isinstance(value, (list, tuple)):
        return any(_has_expression(inner) for inner in value)
    return isinstance(value, str) and "{{" in value
