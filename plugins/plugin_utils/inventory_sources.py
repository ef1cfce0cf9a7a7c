# SPDX-License-Identifier: Apache-2.0
"""Where an inventory's values come from, as Ansible reads them: which files, and what they pass over in silence.

Ansible keeps the last of the values that a host is given, and the first of the files that a group may have.
"""

from __future__ import annotations

import difflib
import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible import constants as C  # noqa: N812 - as everywhere in Ansible
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.inventory.manager import IGNORED
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import EncryptedString
from ansible.plugins.loader import inventory_loader

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.build import HostProblem
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.schema import shown
from ansible_collections.holdfast.storage.plugins.plugin_utils import origins, secret_store
from ansible_collections.holdfast.storage.plugins.plugin_utils.yaml_files import (
    ENDINGS,
    holds_variables,
    is_certificate,
    leads_back,
    short,
)

_KINDS = ("group", "host")
_HOMES = tuple(f"{kind}_vars" for kind in _KINDS)


def files(sources: Sequence[str]) -> Iterator[str]:
    """The files of hosts that Ansible reads of the sources that -i names, in its order."""
    for source in sources:
        if os.path.isdir(source):
            inside = sorted(name for name in os.listdir(source) if not IGNORED.search(os.fsencode(name)))
            yield from files([os.path.join(source, name) for name in inside])
        elif os.path.exists(source):
            yield source


def homes(sources: Sequence[str]) -> list[str]:
    """The directories beside whose files Ansible looks for ``group_vars`` and ``host_vars``, in its order."""
    there = [source for source in sources if os.path.exists(source)]
    found = [source if os.path.isdir(source) else os.path.dirname(source) for source in there]
    return list(dict.fromkeys(map(os.path.abspath, found)))


def empty(sources: Sequence[str]) -> Iterator[Finding]:
    """Directories after -i in which there is no file of hosts."""
    for source in sources:
        if os.path.isdir(source) and not any(files([source])):
            what, fix = "There is no file of hosts in this directory.", "Put one there, such as hosts.yml."
            yield Finding("error", "inventory.empty", short(source), what, fix)


def shadowed(directory: str) -> Iterator[Finding]:
    """Files of variables that Ansible passes over, since it takes another for the same group or host.

    And those that it would pass over when Holdfast leaves its own in ``group_vars/all``.
    """
    yield from misspelt(directory)
    for kind in _KINDS:
        home = os.path.join(directory, f"{kind}_vars")
        if not os.path.isdir(home):
            if os.path.islink(home) and not os.path.exists(home):
                what = f"This link leads to {os.readlink(home)}, and nothing is there: Ansible reads no variables."
                yield _shadow(home, what, "Put the directory there, or take the link out.")
            elif os.path.exists(home):
                what = "This is a file where Ansible looks for a directory: it is passed over."
                yield _shadow(home, what, f"Make a directory of that name, and in it a file for each {kind}.")
            continue
        yield from _other_endings(home)
        for taken, *passed in _same(home).values():
            for path in passed:
                what = f"Ansible passes this file over: it takes {short(taken)} for the same {kind}."
                yield _shadow(path, what, _move(path, taken))
            home_of_all = os.path.join(home, "all")
            is_home = taken == home_of_all and os.path.isdir(taken)
            if os.path.basename(os.path.splitext(taken)[0]) == "all" and kind == "group" and not is_home:
                what = f"Holdfast keeps files in {short(home_of_all)}{os.sep}: Ansible would then pass this one over."
                yield _shadow(taken, what, _move(taken, home_of_all))


def misspelt(directory: str) -> Iterator[Finding]:
    """Directories of variables that Ansible does not know: group-vars, GroupVars, hosts_vars, gruop_vars.

    What only begins with the right name, such as group_vars.old, was put aside.
    """
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
        path, plain = os.path.join(directory, name), re.sub(r"[-_. ]", "", name.lower())
        for right in _HOMES:
            letters = right.replace("_", "")
            near = abs(len(plain) - len(letters)) < 2 and difflib.get_close_matches(plain, [letters], cutoff=0.85)
            if not near or name == right or (name.startswith(right) and plain != letters) or not os.path.isdir(path):
                continue
            if any(os.path.splitext(file)[1] in ENDINGS for _, _, files_ in os.walk(path) for file in files_):
                home = os.path.join(directory, right)
                what = f"Ansible reads no variables from this directory: it looks for {right}."
                fix = f"Move what is in it into {short(home)}." if os.path.isdir(home) else f"Rename it: {short(home)}."
                yield _shadow(path, what, fix)


def _other_endings(home: str) -> Iterator[Finding]:
    """Files that are variables by what they hold, and by their ending none that Ansible reads: more.YML, more.txt."""
    for parent, directories, names in os.walk(home):
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        for path in (os.path.join(parent, each) for each in directories):
            if leads_back(path):
                what = f"This link leads back to {short(os.path.realpath(path))}, in which it stands."
                yield _shadow(path, what, "Take the link out.")
        for name in sorted(names):
            stem, ending = os.path.splitext(name)
            path = os.path.join(parent, name)
            if ending in ENDINGS or not stem or not (_is_close(ending) and holds_variables(path)):
                continue
            what = f"Ansible passes this file over: it reads files that end with {', '.join(ENDINGS[1:])}."
            yield _shadow(path, what, f"Rename it: {short(os.path.join(parent, stem))}.yml.")


def _is_close(ending: str) -> bool:
    """Whether somebody who writes this ending of a name means one that Ansible reads, or that of a plain text."""
    lowered = ending.lower()
    return lowered in (*ENDINGS[1:], ".txt") or bool(difflib.get_close_matches(lowered, ENDINGS[1:], cutoff=0.8))


def _same(home: str) -> dict[str, list[str]]:
    """The files and directories for each name, in the order in which Ansible looks for them."""
    found: dict[str, list[str]] = {}
    names = set(os.listdir(home))
    for name in sorted(names):
        stem, ending = os.path.splitext(name)
        # A name may have dots itself: host1.example.org is a directory, and host1.example.org.yml its file.
        if ending in ENDINGS[1:]:
            found.setdefault(stem, [])
        elif not name.startswith(".") and not name.endswith("~"):
            found.setdefault(name, [])
    return {
        stem: there
        for stem in found
        if (there := [os.path.join(home, stem + ending) for ending in ENDINGS if stem + ending in names])
    }


def _move(path: str, home: str) -> str:
    """How a file, or a directory, comes where Ansible reads all that there is for a name."""
    stem, ending = os.path.splitext(home)
    directory = stem if ending in ENDINGS[1:] and not os.path.isdir(home) else home
    if os.path.isdir(path):
        there = os.path.exists(directory)
        return f"Move what is in it into {short(directory)}." if there else f"Rename it: {short(directory)}."
    if os.path.abspath(path) == os.path.abspath(directory):
        return f"Rename it, make a directory of its name, and move it there: {short(directory)}/main.yml."
    ending = os.path.splitext(path)[1]
    ending = ending if ending in ENDINGS[1:] else ".yml"
    name = next(
        name for name in ("main", "more", "other") if not os.path.exists(os.path.join(directory, name + ending))
    )
    name += ending
    also = "" if os.path.isdir(home) or home == directory else f", and {short(home)} too"
    return f"Move it into the directory of that name: {short(os.path.join(directory, name))}{also}."


def _shadow(path: str, what: str, fix: str) -> Finding:
    return Finding("error", "inventory.shadowed", short(path), what, fix)


@dataclass(frozen=True)
class Given:
    """A value that a file gives to a host or a group."""

    value: Any
    file: str
    place: str
    is_open: bool

    def shown(self, name: str) -> str:
        """The value with its place, as messages show it."""
        if not self.is_open:
            return f"a value that is not shown ({self.place})"
        return f"{shown(origins.plain(self.value), (name,))} ({self.place})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Given) and _canonical(self.value) == _canonical(other.value)

    __hash__ = None  # type: ignore[assignment]


class Replay(InventoryData):
    """An inventory that is read once more, by Ansible's own plugins, and keeps each value with the place it is from."""

    def __init__(self, sources: Sequence[str], loader: DataLoader) -> None:
        self.given: dict[str, dict[str, list[Given]]] = {}
        self.host_places: dict[str, str] = {}
        self.group_places: dict[str, str] = {}
        self._file = ""
        self._loader = loader
        super().__init__()
        for self._file in files(sources):
            if is_certificate(self._file, loader):
                continue
            if not os.access(self._file, os.X_OK) or os.path.splitext(self._file)[1] in (*ENDINGS[1:], ".ini"):
                self._read(self._file)
        self.reconcile_inventory()

    def add_group(self, group: str) -> str:
        """As Ansible's; the first place of a group is kept."""
        _keep_place(self.group_places, group)
        return str(super().add_group(group))

    def add_host(self, host: str, group: str | None = None, port: int | str | None = None) -> str:
        """As Ansible's; the first place of a host is kept."""
        _keep_place(self.host_places, host)
        return str(super().add_host(host, group, port))

    def set_variable(self, entity: str, varname: str, value: Any) -> None:
        """As Ansible's; each value is kept."""
        if self._file and varname not in ("inventory_file", "inventory_dir"):
            given = given_in(self._file, varname, value)
            self.given.setdefault(str(entity), {}).setdefault(str(varname), []).append(given)
        super().set_variable(entity, varname, value)

    def _read(self, path: str) -> None:
        for name in ("yaml",) if path.endswith(ENDINGS[1:]) else ("yaml", "ini"):
            plugin = inventory_loader.get(name)
            try:
                if plugin.verify_file(path):
                    plugin.parse(self, self._loader, path, cache=False)
                    return
            except AnsibleError:
                continue  # It was told by strict_yaml, or another plugin reads it.


def _keep_place(places: dict[str, str], name: str) -> None:
    if place := origins.place(name):
        places.setdefault(str(name), place)


def given_in(file: str, name: str, value: Any) -> Given:
    """A value with its place; that of its name where the value bears none, as truth values do."""
    place = origins.place(value) or origins.place(name) or short(file)
    is_open = not isinstance(value, EncryptedString) and not secret_store.is_encrypted(file)
    return Given(value, file, place, is_open)


class Conflicts:
    """What is given to one host twice, with different values, where nobody said which of them counts."""

    def __init__(
        self, sources: Sequence[str], directories: Sequence[str], loader: DataLoader, prefixes: tuple[str, ...]
    ) -> None:
        self.replay = Replay(sources, loader)
        self._directories = directories
        self._loader = loader
        self._ours = (*prefixes, "ansible_")
        self._files: dict[tuple[str, str], dict[str, list[Given]]] = {}

    def problems(self) -> Iterator[HostProblem]:
        """Each with the host that it is about; the same of several hosts becomes one finding."""
        if C.config.get_config_value("DEFAULT_HASH_BEHAVIOUR") == "merge":
            return
        for name, host in self.replay.hosts.items():
            own = self.replay.given.get(name, {})
            of_files = self._of_files("host", name)
            for variable in own:
                yield from self._told(name, variable, own[variable], "the host is in both places")
            for variable in of_files:
                yield from self._told(name, variable, of_files[variable], "both files are for the host")
            yield from self._of_groups(name, host.get_groups(), {*own, *of_files})

    def _of_groups(self, host: str, groups: list[Any], own: set[str]) -> Iterator[HostProblem]:
        """What the groups of a host give it, as far as the host itself does not."""
        found: dict[str, dict[tuple[int, int], list[tuple[str, Given]]]] = {}
        for group in sorted(groups, key=lambda group: group.name):
            layers = (self.replay.given.get(group.name, {}), self._of_files("group", group.name))
            for layer in layers:
                for variable, given in layer.items():
                    if variable.startswith(self._ours):
                        yield from self._told(host, variable, given, f"both are for the group {group.name}")
            # Files of variables count more than what stands beside the hosts.
            for variable, given in {**layers[0], **layers[1]}.items():
                if variable.startswith(self._ours) and variable not in own:
                    level = (group.depth, group.priority)
                    found.setdefault(variable, {}).setdefault(level, []).append((group.name, given[-1]))
        for variable, levels in found.items():
            *others, (last, counts) = levels[max(levels)]
            for first, other in others:
                if other != counts:
                    why = f"the host is in {first} and in {last}, of which neither is below the other"
                    yield from self._told(host, variable, [other, counts], why)
                    break

    def _told(self, host: str, variable: str, given: list[Given], why: str) -> Iterator[HostProblem]:
        last = given[-1]
        other = next((one for one in given if one != last), None)
        if other is None or variable == "ansible_group_priority":
            return
        yield HostProblem(
            "inventory.given-twice",
            host,
            (variable,),
            f"is given twice: {other.shown(variable)} and {last.shown(variable)}: {why}, and Ansible takes one in "
            "silence.",
            "Leave one of them, or have both say the same.",
        )

    def _of_files(self, kind: str, name: str) -> dict[str, list[Given]]:
        """The values in the files of variables of a group or a host, by variable."""
        if (kind, name) not in self._files:
            found: dict[str, list[Given]] = {}
            places = [os.path.join(directory, f"{kind}_vars") for directory in self._directories]
            inside = [self._loader.find_vars_files(home, name) for home in places if os.path.isdir(home)]
            for path in itertools.chain(*inside):
                for variable, value in self._variables(path).items():
                    found.setdefault(str(variable), []).append(given_in(path, variable, value))
            self._files[kind, name] = found
        return self._files[kind, name]

    def _variables(self, path: str) -> Mapping[str, Any]:
        try:
            content = self._loader.load_from_file(path, cache="all", unsafe=True, trusted_as_template=True)
        except AnsibleError:
            return {}  # It was told by itself.
        return content if isinstance(content, Mapping) else {}


def _canonical(value: Any) -> str:
    try:
        return json.dumps(origins.plain(value), sort_keys=True, default=str)
    except AnsibleError:
        return str(getattr(value, "_ciphertext", id(value)))
