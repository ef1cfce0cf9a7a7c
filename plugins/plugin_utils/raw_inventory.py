# SPDX-License-Identifier: Apache-2.0
"""Ansible's inventory as plain values: each host's variables evaluated, with the file and line they come from."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible import constants as C  # noqa: N812 - as everywhere in Ansible
from ansible import context
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.splitter import parse_kv
from ansible.parsing.vault import EncryptedString

from ansible_collections.holdfast.storage.plugins.module_utils.controller import sealed
from ansible_collections.holdfast.storage.plugins.module_utils.core.config import holds_secret
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.build import (
    HostProblem,
    RawHost,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.schema import (
    KeyPath,
    RoleVariables,
    is_hidden,
    leaves,
    shown,
)
from ansible_collections.holdfast.storage.plugins.plugin_utils import failures, origins, secret_store, yaml_files
from ansible_collections.holdfast.storage.plugins.plugin_utils.inventory_sources import Replay
from ansible_collections.holdfast.storage.plugins.plugin_utils.readings import Readings
from ansible_collections.holdfast.storage.plugins.plugin_utils.yaml_files import short

# What others must not read, by its name: passwords of connections, of options, and the site's own.
_SECRET = re.compile(r"(?:.*_)?(?:pass(?:word|wd|phrase)?|secret|token)", re.I)
# Ansible takes the last that is given of the names of one thing.
_HOST = ("ansible_host", "ansible_ssh_host")
_PORT = ("ansible_port", "ansible_ssh_port")
_CONNECTION = (*_HOST, *_PORT, "ansible_connection")
# With these, each task begins. What others keep is not asked for here: an expression may do that anywhere.
_NEEDED = frozenset(name for names in C.MAGIC_VARIABLE_MAPPING.values() for name in names)
_ASKS_OTHERS = re.compile(r"\b(lookup|query|q)\s*\(")


class InventoryReader:
    """Reads the variables that Holdfast knows, of every host, and collects what could not be evaluated."""

    def __init__(self, hostvars: Any, templar: Any, roles: RoleVariables, places: Replay, loader: DataLoader) -> None:
        self._hostvars = hostvars
        self._readings = Readings(loader)
        self._templar = templar
        self._roles = roles
        self._places = places
        self._vaults: dict[str, bool] = {}
        self._sources: dict[str, Mapping[str, Any]] = {}
        self.problems: list[HostProblem] = []

    def hosts(self) -> dict[str, RawHost]:
        return {origins.text(name): self._host(name) for name in self._hostvars}

    def locate(self, host: str | None, path: KeyPath) -> str | None:
        """``file:line`` of the value at a path, or of the nearest thing around it that has one.

        Of what a host lacks it is that of the host, and the path of a group is its name alone.
        """
        if not path:
            return self._places.host_places.get(host or "")
        candidates = [host] if host else list(self._sources)
        for name in candidates:
            if path and path[0] in self._sources.get(name, {}):
                return _origin(self._sources[name], path)
        if host:
            return self._places.host_places.get(host)
        return self._places.group_places.get(str(path[0])) if len(path) == 1 else None

    def plain_secrets(self, inventory_dir: str) -> dict[str, str]:
        """Where ``holdfast_secrets`` is set otherwise than in the one encrypted file, and what is wrong with that."""
        home = secret_store.location(inventory_dir)
        found: dict[str, str] = {}
        if not secret_store.is_encrypted(home):
            found[short(str(home))] = "stands in a file that is not encrypted."
        for file in yaml_files.with_secrets(inventory_dir, secret_store.VARIABLE):
            if os.path.realpath(file) != os.path.realpath(home):
                found[short(file)] = f"sets secrets in a file that is not encrypted: {_home_only(home)}"
        for source in self._sources.values():
            value = source.get(secret_store.VARIABLE)
            if not value:
                continue
            items = value.values() if isinstance(value, Mapping) else ()
            for place in filter(None, {_path(value), *map(_path, items)}):
                if os.path.realpath(place) == os.path.realpath(home):
                    continue
                encrypted = os.path.exists(place) and secret_store.is_encrypted(place)
                state = "sets secrets in another file" if encrypted else "sets secrets in a file that is not encrypted"
                found[short(place)] = f"{state}: {_home_only(home)}"
        return found

    def vaulted(self) -> frozenset[str]:
        """The values of the inventory that stand in a vault: each by itself, or with its file.

        In a file that is one as a whole, variables of Holdfast that do not say so by their name are no secrets.
        """
        seen: set[int] = set()
        found: set[str] = set()
        for variables in self._sources.values():
            for name, value in variables.items():
                if id(value) not in seen and name != secret_store.VARIABLE:
                    seen.add(id(value))
                    found.update(self._vaulted(name, value))
        return frozenset(found)

    def _vaulted(self, name: str, value: Any) -> Iterator[str]:
        for path, leaf in sealed.leaves((name,), value):
            if isinstance(leaf, EncryptedString):
                with contextlib.suppress(AnsibleError):  # What does not open is told where it is used.
                    yield origins.text(leaf)
            elif isinstance(leaf, str) and (not self._roles.is_reserved(name) or is_hidden(path)):
                tag = origins.tag(leaf)
                if tag and tag.path and self._is_vault(tag.path) and "{{" not in leaf:
                    yield origins.text(leaf)

    def _is_vault(self, path: str) -> bool:
        if path not in self._vaults:
            self._vaults[path] = os.path.exists(path) and secret_store.is_encrypted(path)
        return self._vaults[path]

    def _host(self, name: str) -> RawHost:
        raw = self._hostvars.raw_get(name)
        self._sources[name] = raw
        self._refuse_open_secrets(name, raw)
        mine = [
            key
            for key in raw
            if self._roles.is_reserved(key)
            and key != secret_store.VARIABLE
            and (key in self._roles.variables or _is_written(raw[key]))
        ]
        templar = self._templar.copy_with_new_env(available_variables={**raw, "hostvars": self._hostvars})
        variables = {}
        for key in mine:
            try:
                value = templar.template(raw[key])
                variables[key] = origins.plain(value)
            except AnsibleError as error:
                self._refuse(name, key, error)
                continue
            self.problems += self._readings.problems(name, key, raw[key], value)
        connection = {key: self._connection(templar, name, raw, key) for key in _connection_variables(raw)}
        local = connection.get("ansible_connection") == "local"
        return RawHost(
            groups=frozenset(str(group) for group in raw.get("group_names", ())) - {"all", "ungrouped"},
            variables=variables,
            others=frozenset(str(key) for key in raw if key not in mine and key != secret_store.VARIABLE),
            connect=self._one(name, _HOST, connection),
            connect_key=_key(_HOST, connection),
            port_key=_key(_PORT, connection),
            port=self._one(name, _PORT, connection),
            local=local or name in ("localhost", "127.0.0.1", "::1"),
        )

    def _refuse_open_secrets(self, host: str, variables: Mapping[str, Any]) -> None:
        """Secrets of the site that anybody reads who can read the inventory. Holdfast's own are told by themselves."""
        for name, value in variables.items():
            overrides = name.endswith("_conf_overrides")
            if self._roles.is_reserved(name) and not overrides:
                continue
            for path, leaf in leaves((name,), value):
                secret = _SECRET.fullmatch(str(path[-1])) or (overrides and holds_secret(str(path[-1]), leaf))
                if secret and _is_open(leaf):
                    self.problems.append(
                        HostProblem(
                            "secrets.open",
                            host,
                            path,
                            "is (a secret, not shown), in a file that is not encrypted.",
                            "Encrypt it with `ansible-vault encrypt_string`, or refer to a variable in a vault file.",
                        )
                    )

    def _connection(self, templar: Any, host: str, raw: Mapping[str, Any], key: str) -> str:
        try:
            value = templar.template(raw[key])
            plain = origins.plain(value)
        except AnsibleError as error:
            self._refuse(host, key, error)
            return ""
        self.problems += self._readings.problems(host, key, raw[key], value)
        return "" if plain is None else str(plain)

    def _one(self, host: str, names: tuple[str, ...], given: Mapping[str, str]) -> str:
        """What is given by one of two names, the second of which Ansible prefers."""
        values = [given[name] for name in names if given.get(name)]
        if len(set(values)) > 1:
            what = f"is {shown(values[-1])}, and {names[0]}, the same by another name, is {shown(values[0])}."
            self.problems.append(
                HostProblem("inventory.given-twice", host, (names[1],), what, f"Leave one of them: {names[0]}.")
            )
        return values[-1] if values else ""

    @staticmethod
    def texts() -> frozenset[str]:
        """The names of variables that the command line gives as text, whatever they look like."""
        given = [text for text in context.CLIARGS.get("extra_vars") or () if text and text[0] not in "@{["]
        return frozenset(str(name) for text in given for name in parse_kv(text))

    def _refuse(self, host: str, name: str, error: AnsibleError) -> None:
        what, fix = failures.told(error)
        self.problems.append(HostProblem("inventory.undefined", host, (name,), what, fix))


def _key(names: tuple[str, ...], given: Mapping[str, str]) -> str:
    return next((name for name in reversed(names) if given.get(name)), names[0])


def _connection_variables(raw: Mapping[str, Any]) -> list[str]:
    """The variables of a host's connection to look at: where it is, and those whose expression may have no value."""
    return [
        name
        for name in raw
        if name in _CONNECTION
        or (name in _NEEDED and (isinstance(raw[name], EncryptedString) or _is_own_expression(raw[name])))
    ]


def _is_own_expression(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value and not _ASKS_OTHERS.search(value)


def _is_open(value: Any) -> bool:
    """Whether a value stands in a file that is not encrypted, and is neither an expression nor a path."""
    tag = origins.tag(value)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not tag or not tag.path:
        return False
    text = str(value)
    return bool(text) and "{{" not in text and not text.startswith("/") and not secret_store.is_encrypted(tag.path)


def _home_only(home: os.PathLike[str]) -> str:
    return f"Holdfast keeps them in {short(str(home))} only."


def _is_written(value: Any) -> bool:
    """Whether somebody wrote the value, and it is not a task's registered result. Truth values can bear no tag."""
    return origins.Origin is None or value is None or isinstance(value, bool) or origins.tag(value) is not None


def _origin(variables: Mapping[str, Any], path: KeyPath) -> str | None:
    places = [origins.place(value) for value in _along(variables, path)]
    return next((place for place in reversed(places) if place), None)


def _along(value: Any, path: KeyPath) -> Iterator[Any]:
    """The keys and values that a path passes, outermost first."""
    for key in path:
        if isinstance(value, Mapping):
            yield from (own for own in value if own == key)
            if key not in value:
                return
        elif not isinstance(value, (list, tuple)) or not isinstance(key, int) or key >= len(value):
            return
        value = value[key]
        yield value


def _path(value: Any) -> str | None:
    tag = origins.tag(value)
    return (tag.path or tag.description) if tag else None
