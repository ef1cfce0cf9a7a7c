# SPDX-License-Identifier: Apache-2.0
"""Ansible's inventory as plain values: each host's variables evaluated, with the file and line they come from."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.build import (
    HostProblem,
    RawHost,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.schema import (
    KeyPath,
    RoleVariables,
)
from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store, yaml_files
from ansible_collections.holdfast.storage.plugins.plugin_utils.yaml_files import short

Origin: Any = None
with contextlib.suppress(ImportError):  # Private, and only for messages: without it they name the host, not the file.
    from ansible._internal._datatag import _tags

    Origin = _tags.Origin

# What others must not read, by its name: passwords of connections, of options, and the site's own.
_SECRET = re.compile(r"(?:.*_)?(?:pass(?:word|wd|phrase)?|secret|token)", re.I)
_BITS = 4096
_CONNECTION = ("ansible_host", "ansible_port", "ansible_connection")


class InventoryReader:
    """Reads the variables that Holdfast knows, of every host, and collects what could not be evaluated."""

    def __init__(self, hostvars: Any, templar: Any, roles: RoleVariables) -> None:
        self._hostvars = hostvars
        self._templar = templar
        self._roles = roles
        self._sources: dict[str, Mapping[str, Any]] = {}
        self.problems: list[HostProblem] = []

    def hosts(self) -> dict[str, RawHost]:
        return {_text(name): self._host(name) for name in self._hostvars}

    def locate(self, host: str | None, path: KeyPath) -> str | None:
        """``file:line`` of the value at a path, or of the nearest thing around it that has one."""
        candidates = [host] if host else list(self._sources)
        for name in candidates:
            if path and path[0] in self._sources.get(name, {}):
                return _origin(self._sources[name], path)
        return None

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
        templar = self._templar.copy_with_new_env(available_variables=raw)
        variables = {}
        for key in mine:
            try:
                variables[key] = plain(templar.template(raw[key]))
            except AnsibleError as error:
                self._refuse(name, key, error)
        connection = {key: self._connection(templar, name, raw, key) for key in _CONNECTION}
        return RawHost(
            groups=frozenset(str(group) for group in raw.get("group_names", ())) - {"all", "ungrouped"},
            variables=variables,
            others=frozenset(str(key) for key in raw if key not in mine and key != secret_store.VARIABLE),
            connect=connection["ansible_host"],
            port=connection["ansible_port"],
            local=connection["ansible_connection"] == "local" or name in ("localhost", "127.0.0.1", "::1"),
        )

    def _refuse_open_secrets(self, host: str, variables: Mapping[str, Any]) -> None:
        """Secrets of the site that anybody reads who can read the inventory. Holdfast's own are told by themselves."""
        for name, value in variables.items():
            if self._roles.is_reserved(name) and not name.endswith("_conf_overrides"):
                continue
            for path, leaf in _leaves((name,), value):
                if _SECRET.fullmatch(str(path[-1])) and _is_open(leaf):
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
            return str(plain(templar.template(raw.get(key, ""))) or "")
        except AnsibleError as error:
            self._refuse(host, key, error)
            return ""

    def _refuse(self, host: str, name: str, error: AnsibleError) -> None:
        reason = " ".join(str(getattr(error, "message", error)).split()).rstrip(".")
        cause = error.__cause__
        while cause is not None:
            text = " ".join(str(getattr(cause, "message", cause)).split()).rstrip(".")
            reason = reason if not text or text in reason else f"{reason}: {text}"
            cause = cause.__cause__
        self.problems.append(
            HostProblem(
                "inventory.undefined",
                host,
                (name,),
                f"can not be evaluated: {reason}.",
                "Define what it refers to, or correct the expression.",
            )
        )


def plain(value: Any) -> Any:
    """A value of Ansible's as plain Python, at any depth. Keys become text: JSON has no others."""
    if isinstance(value, Mapping):
        return {_text(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value.bit_length() > _BITS:
        return math.inf  # No schema takes it, and Python shows no number of so many digits.
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return _text(value)


def _leaves(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    """The values below a mapping that are none themselves, each with its place."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves((*path, str(key)), inner)
    else:
        yield path, value


def _is_open(value: Any) -> bool:
    """Whether a value stands in a file that is not encrypted, and is neither an expression nor a path."""
    tag = _tag(value)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not tag or not tag.path:
        return False
    text = str(value)
    return bool(text) and "{{" not in text and not text.startswith("/") and not secret_store.is_encrypted(tag.path)


def _home_only(home: os.PathLike[str]) -> str:
    return f"Holdfast keeps them in {short(str(home))} only."


def _is_written(value: Any) -> bool:
    """Whether somebody wrote the value, and it is not a task's registered result. Truth values can bear no tag."""
    return Origin is None or value is None or isinstance(value, bool) or _tag(value) is not None


def _text(value: Any) -> str:
    # str() of a subclass may give back the subclass; joining does not.
    return "".join(str(value))


def _origin(variables: Mapping[str, Any], path: KeyPath) -> str | None:
    best = None
    for value in _along(variables, path):
        best = _tag(value) or best
    return best and short(f"{best.path or best.description}{f':{best.line_num}' if best.line_num else ''}")


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
    tag = _tag(value)
    return (tag.path or tag.description) if tag else None


def _tag(value: Any) -> Any:
    return Origin.get_tag(value) if Origin else None
