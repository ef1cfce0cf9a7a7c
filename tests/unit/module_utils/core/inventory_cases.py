# SPDX-License-Identifier: Apache-2.0
"""Inventories as data, in tests/cases/inventory: good ones whole, bad ones as what to change in a good one."""

from __future__ import annotations

import collections
import copy
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import (
    Deployment,
    domain,
    known_secrets,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import (
    build as inventory,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import (
    declarations,
    schema,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.build import (
    RawHost,
    RawInventory,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.domain import Domain
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.draft import (
    ControllerFile,
    Draft,
    Rule,
    no_file,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import RULES

from .certificates import Site

ROOT = Path(__file__).resolve().parents[4]
CASES = ROOT / "tests/cases/inventory"


@cache
def roles() -> schema.RoleVariables:
    return declarations.load_roles(ROOT / "roles")


@cache
def _loaded(path: Path) -> Any:
    # The loader in C: with the other one, reading takes longer than all rules.
    return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def good(name: str) -> dict[str, Any]:
    case: dict[str, Any] = copy.deepcopy(_loaded(CASES / f"good/{name}.yml"))
    return case


def bad() -> list[dict[str, Any]]:
    return _changes("bad")


def accepted() -> list[dict[str, Any]]:
    return _changes("accepted")


def _changes(folder: str) -> list[dict[str, Any]]:
    files = sorted((CASES / folder).glob("*.yml"))
    return [{"subject": file.stem, **case} for file in files for case in copy.deepcopy(_loaded(file))]


def changed(case: dict[str, Any]) -> dict[str, Any]:
    """The inventory that a case describes as a change of a good one."""
    content = good(case.get("base", "lab"))
    if "site" in case:
        site = Site(case["site"])
        content["vars"] |= site.variables()
        content["files"] = site.files()
    for path, value in case.get("set", {}).items():
        *parents, last = _keys(path)
        target = content
        for key in parents:
            target = target.setdefault(key, {}) if isinstance(target, dict) else target[key]
        if isinstance(target, list) and last == len(target):
            target.append(value)
        else:
            target[last] = value
    for path in case.get("remove", ()):
        *parents, last = _keys(path)
        target = content
        for key in parents:
            target = target[key]
        if isinstance(target, list) and not isinstance(last, int):
            target.remove(last)
        else:
            del target[last]
    return content


def raw(content: dict[str, Any], known: schema.RoleVariables | None = None, **more: Any) -> RawInventory:
    """What Ansible would make of an inventory, with what the collection's roles declare, or others."""
    known = known or roles()
    hosts = {}
    for name, own in content["hosts"].items():
        variables = {**content["vars"], **(own or {})}
        hosts[name] = RawHost(
            groups=frozenset(group for group, members in content["groups"].items() if name in members),
            variables={key: value for key, value in variables.items() if known.is_reserved(key)},
            others=frozenset(key for key in variables if not known.is_reserved(key)),
            connect=str(variables.get("ansible_host", "")),
            port=str(variables.get("ansible_port", "")),
            local=variables.get("ansible_connection") == "local",
        )
    groups = {name: tuple(members) for name, members in content["groups"].items()}
    more.setdefault("known_secrets", known_secrets())
    more.setdefault("now", datetime.now(UTC))
    return RawInventory(hosts=hosts, groups=groups, read_file=_reader(content.get("files", {})), **more)


def _reader(files: Mapping[str, bytes]) -> Callable[[str], ControllerFile]:
    def read(path: str) -> ControllerFile:
        return ControllerFile(path, files[path]) if path in files else no_file(path)

    return read


def build(
    given: RawInventory,
    remembered: Any = None,
    known: schema.RoleVariables | None = None,
    rules: Iterable[Rule] = RULES,
    knows: Domain | None = None,
) -> tuple[Model | None, list[Finding]]:
    """The model and the findings of an inventory, with all that the collection knows, or with other roles."""
    return inventory.build(given, known or roles(), remembered, rules=rules, domain=knows or domain())


class Remembering(schema.RoleVariables):
    """The roles' variables for many inventories that are nearly alike: nothing is worked out twice."""

    def __init__(self, known: schema.RoleVariables) -> None:
        super().__init__(known.variables, known.prefixes, known.renamed)
        self.answers: dict[tuple[Any, ...], Any] = {}
        self.defaults = {name: known.complete(name, found.default) for name, found in known.variables.items()}

    def _once(self, ask: Callable[..., Any], *about: Any) -> Any:
        key = (ask.__name__, repr(about))
        if key not in self.answers:
            self.answers[key] = ask(*about)
        return self.answers[key]

    def nearest(self, name: str) -> Any:
        return self._once(super().nearest, name)

    def mistyped(self, name: str) -> Any:
        return self._once(super().mistyped, name)

    def check(self, name: str, value: Any) -> Any:
        return self._once(super().check, name, value)

    def complete(self, name: str, value: Any) -> Any:
        # The defaults are most of what is asked.
        if value is self.variables[name].default:
            return self.defaults[name]
        return self._once(super().complete, name, value)


def remembering(rules: Iterable[Rule]) -> Rule:
    """The rules as one that is asked once about each draft, for inventories whose secrets and files are the same."""
    found: dict[str, list[Finding]] = {}

    def all_of_them(draft: Draft) -> list[Finding]:
        hosts = [
            (host.name, sorted(host.groups), host.variables, host.connect, host.port, host.is_local)
            for host in draft.hosts.values()
        ]
        key = repr((hosts, draft.groups, draft.variables, sorted(draft.given), sorted(draft.refused, key=repr)))
        if key not in found:
            found[key] = [finding for rule in rules for finding in rule(draft)]
        return found[key]

    return all_of_them


def deployed(content: dict[str, Any]) -> Services:
    """The services, and by them the model, of an inventory that is right. Every secret is the same."""
    model, findings = build(raw(content, **content.get("raw", {})))
    assert model, findings
    return Deployment.of(model, collections.defaultdict(lambda: "s3cret")).services


def errors(content: dict[str, Any], **more: Any) -> list[str]:
    """``code where`` of each error."""
    _, findings = build(raw(content, **more), content.get("remembered"))
    return [f"{finding.code} {finding.where}" for finding in findings if finding.severity == "error"]


def _keys(path: str) -> list[Any]:
    return [int(key) if key.isdecimal() else key for key in path.split("/")]
