# SPDX-License-Identifier: Apache-2.0
"""From the inventory's variables to the model, or to everything that is wrong with them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..errors import Finding, Severity
from ..model import Host, Model, Network
from .addresses import Addresses, assign
from .domain import Domain
from .draft import BEGINNING, ControllerFile, Draft, DraftHost, Rule, address_of, listed, no_file, place
from .schema import KeyPath, RoleVariables, Variable, shown
from .secrets import Form

# So many hosts that share a problem are named.
_NAMED = 4

SECRETS = "holdfast_secrets"
ADDRESSES = "holdfast_addresses"
BEGUN_WITH = "holdfast_begun_with"


@dataclass(frozen=True)
class HostProblem:
    """What is wrong with a variable of a host, or without one of all. The same on several hosts becomes one finding."""

    code: str
    host: str | None
    path: KeyPath
    what: str
    fix: str
    severity: Severity = "error"


@dataclass(frozen=True)
class RawHost:
    """A host as Ansible has it.

    Attributes:
        groups: the groups that it is in, at any depth.
        variables: its variables with a reserved prefix, and their values as plain Python.
        others: names of its other variables, among which misspelt ones are looked for.
        connect: ``ansible_host``, or empty.
        port: ``ansible_port``, or empty.
        connect_key: the name of the variable that ``connect`` is of: Ansible knows several.
        port_key: likewise of ``port``.
        local: whether it is the controller itself (``ansible_connection: local``).
    """

    groups: frozenset[str]
    variables: Mapping[str, Any]
    others: frozenset[str] = frozenset()
    connect: str = ""
    port: str = ""
    local: bool = False
    connect_key: str = "ansible_host"
    port_key: str = "ansible_port"


@dataclass(frozen=True)
class RawInventory:
    """An inventory as Ansible has it.

    Attributes:
        hosts: by name.
        groups: every group, also an empty one, with the names of its members at any depth.
        problems: what was wrong already when it was read: variables that could not be evaluated.
        findings: likewise, with its own place.
        secrets: every secret that exists. They are no part of the variables or of the model.
        required_secrets: names of the secrets that the deployment's services need.
        known_secrets: the secrets of all services, with their forms; those of one that is not deployed may stay.
        plain_secrets: places where a secret stands in a file that is not encrypted, and what is wrong there.
        locate: file and line of a value, of a host's or, with None, of the deployment's; None when it is not known.
        texts: names of variables that the command line gives as text: ``-e NAME=VALUE``.
        read_file: a file of the controller; raises HoldfastError with the reason and what to do, as "... Fix: ...".
        now: when it is, for what ends one day.
        variable_files: files and directories of variables beside the inventory, with ``host`` or ``group`` and name.
    """

    hosts: Mapping[str, RawHost]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problems: tuple[HostProblem, ...] = ()
    findings: tuple[Finding, ...] = ()
    secrets: Mapping[str, Any] = field(default_factory=dict)
    required_secrets: tuple[str, ...] = ()
    known_secrets: Mapping[str, Form] = field(default_factory=dict)
    plain_secrets: Mapping[str, str] = field(default_factory=dict)
    locate: Callable[[str | None, KeyPath], str | None] = lambda host, path: None
    texts: frozenset[str] = frozenset()
    read_file: Callable[[str], ControllerFile] = no_file
    now: datetime = BEGINNING
    variable_files: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def build(
    raw: RawInventory,
    roles: RoleVariables,
    remembered: Addresses | None = None,
    *,
    rules: Iterable[Rule],
    domain: Domain,
) -> tuple[Model | None, list[Finding]]:
    """The model, or None when there are errors; and all findings, each once, errors first.

    ``rules`` say what is wrong although each value is well-formed. ``remembered`` are the addresses assigned by earlier
    runs. New ones are those of the model that are not among them.
    """
    raw = replace(raw, hosts={name: host for name, host in raw.hosts.items() if not _is_controller(host, domain)})
    if not raw.hosts:
        what, fix = "The inventory has no host.", "Give an inventory with -i, and list hosts in it."
        return None, [*raw.findings, Finding("error", "hosts.none", "inventory", what, fix)]
    checked = _Check(raw, roles, domain)
    draft = checked.draft()
    addresses, conflicts = _assign(draft, remembered or {})
    draft = replace(draft, addresses=addresses)
    problems = [*raw.problems, *checked.problems, *conflicts]
    ruled = [finding for rule in rules for finding in rule(draft)]
    findings = [*raw.findings, *_told_once(problems, raw), *_shared(ruled, draft)]
    unique = sorted(set(findings), key=lambda finding: (finding.severity != "error", finding))
    if any(finding.severity == "error" for finding in unique):
        return None, unique
    return _model(draft, addresses), unique


def _is_controller(host: RawHost, domain: Domain) -> bool:
    """Whether a host is listed only for Ansible's sake, like a ``localhost`` with its interpreter."""
    return host.local and not host.groups & domain.groups and "networks_ports" not in host.variables


def begun_with(hosts: Mapping[str, RawHost]) -> list[str]:
    """The variables whose present defaults the deployment began with, as earlier runs left it."""
    kept = next((raw.variables[BEGUN_WITH] for raw in hosts.values() if BEGUN_WITH in raw.variables), ())
    return [name for name in kept if isinstance(name, str)] if isinstance(kept, (list, tuple)) else []


class _Check:
    """The variables against their schemas. What is refused is left out of the draft, so that rules can still run."""

    def __init__(self, raw: RawInventory, roles: RoleVariables, domain: Domain) -> None:
        self.raw = raw
        self.roles = roles
        self.domain = domain
        self.problems: list[HostProblem] = []
        self.undefined = {(problem.host, problem.path[0]) for problem in raw.problems if problem.path}
        # What is not as it was typed is no matter of its schema.
        self.misread = {(problem.host, problem.path) for problem in raw.problems if problem.severity == "error"}
        self.refused: set[tuple[str | None, KeyPath]] = set()

    def draft(self) -> Draft:
        self._unknown()
        deployment: dict[str, Any] = {}
        given: set[str] = set()
        own: dict[str, dict[str, Any]] = {name: {} for name in self.raw.hosts}
        for variable in self.roles.variables.values():
            if variable.name == SECRETS:
                continue
            if variable.is_host_scoped:
                self._host_variable(variable, own)
            else:
                self._deployment_variable(variable, deployment, given)
        return Draft(
            hosts={
                name: DraftHost(
                    name,
                    host.groups | self.domain.derived_groups(own[name], host.groups),
                    own[name],
                    host.connect or name,
                    host.port,
                    host.local,
                    host.connect_key,
                    host.port_key,
                )
                for name, host in self.raw.hosts.items()
            },
            groups=self.raw.groups,
            variables={name: value for name, value in deployment.items() if name != ADDRESSES},
            given=frozenset(given),
            refused=frozenset(self.refused),
            domain=self.domain,
            secrets=self.raw.secrets,
            required_secrets=self.raw.required_secrets,
            known_secrets=self.raw.known_secrets,
            plain_secrets=self.raw.plain_secrets,
            locate=self.raw.locate,
            read_file=self.raw.read_file,
            now=self.raw.now,
            variable_files=self.raw.variable_files,
        )

    def _unknown(self) -> None:
        # The same name on many hosts is one problem: it comes from a group.
        seen: dict[str, list[str]] = {}
        for host, raw in self.raw.hosts.items():
            for name in (*(name for name in raw.variables if name not in self.roles.variables), *raw.others):
                seen.setdefault(name, []).append(host)
        for name, hosts in seen.items():
            reserved = self.roles.is_reserved(name)
            near = self.roles.nearest(name) if reserved else self.roles.mistyped(name)
            if not (reserved or near):
                continue
            where = hosts[0] if len(hosts) == 1 else None
            if new := self.roles.renamed.get(name):
                what, fix = f"has another name since this version: {new}.", f"Rename it to {new}."
                self._add("inventory.renamed-variable", where, (name,), what, fix)
                continue
            because = f"the prefix {name.split('_')[0]}_ is reserved" if reserved else f"it is nearly {near}"
            value = self.raw.hosts[hosts[0]].variables.get(name)
            self._add(
                "inventory.unknown-variable",
                where,
                (name,),
                f"{f'is {shown(value, (name,))}, and ' if value is not None else ''}"
                f"is not a variable of Holdfast, and {because}.",
                f"Did you mean {near}? Otherwise rename it or take it out." if near else "Rename it or take it out.",
            )

    def _deployment_variable(self, variable: Variable, values: dict[str, Any], given: set[str]) -> None:
        name = variable.name
        holders = [host for host, raw in self.raw.hosts.items() if name in raw.variables]
        if not holders:
            if any((host, name) in self.undefined for host in self.raw.hosts):
                return
            self._default(variable, list(self.raw.hosts), values)
            return
        given.add(name)
        first = holders[0]
        value = self.raw.hosts[first].variables[name]
        canonical = _canonical(value)
        for other in holders[1:]:
            different = self.raw.hosts[other].variables[name]
            if different is not value and _canonical(different) != canonical:
                self._differs(name, first, value, other, different)
                break
        self._take(variable, value, None, values)

    def _host_variable(self, variable: Variable, own: dict[str, dict[str, Any]]) -> None:
        for host, raw in self.raw.hosts.items():
            if variable.name in raw.variables:
                self._take(variable, raw.variables[variable.name], host, own[host])
            elif (host, variable.name) not in self.undefined:
                self._default(variable, [host], own[host])

    def _default_of(self, variable: Variable) -> Any:
        """Its default, or the former one where the deployment began with that."""
        older = "x-before" in variable.schema and variable.is_begun(self.raw.secrets)
        if older and variable.name not in begun_with(self.raw.hosts):
            return variable.schema["x-before"]
        return variable.default

    def _default(self, variable: Variable, hosts: list[str], values: dict[str, Any]) -> None:
        if variable.has_default:
            values[variable.name] = self.roles.complete(variable.name, self._default_of(variable))
            return
        groups = variable.required_groups
        concerned = [host for host in hosts if groups is None or self.raw.hosts[host].groups & groups]
        if concerned:
            self.refused.update((host if variable.is_host_scoped else None, (variable.name,)) for host in concerned)
            about = " ".join(str(variable.schema["description"]).split()).split(". ")[0].rstrip(".")
            self._add(
                "inventory.required",
                concerned[0] if variable.is_host_scoped else None,
                (variable.name,),
                f"is not set{'' if groups is None else f', and hosts in {listed(groups)} need it'}.",
                f"Set it: {about}.",
            )

    def _take(self, variable: Variable, value: Any, host: str | None, values: dict[str, Any]) -> None:
        """Check a value, tell what is wrong with it, and keep what is right."""
        value = copy.deepcopy(value)
        problems = self.roles.check(variable.name, value)
        for problem in problems:
            self.refused.add((host, problem.path))
            if any((who, problem.path) in self.misread for who in ([host] if host else self.raw.hosts)):
                continue
            fix = problem.fix
            if variable.name in self.raw.texts and problem.code == "schema.type":
                fix = f"-e NAME=VALUE gives text. Give JSON: -e '{{\"{variable.name}\": {_as_json(value)}}}'."
            self._add(problem.code, host, problem.path, problem.what, fix)
        if any(problem.prune == (variable.name,) for problem in problems):
            return
        for problem in sorted(problems, key=lambda problem: len(problem.path), reverse=True):
            if problem.prune:
                _prune(value, problem.prune[1:])
        values[variable.name] = self.roles.complete(variable.name, value)

    def _differs(self, name: str, first: str, value: Any, other: str, different: Any) -> None:
        path, one, two = _difference((name,), value, different)
        sources = [
            f"{host} has {'nothing' if what is _ABSENT else shown(what, path)}"
            + (f" ({source})" if (source := self.raw.locate(host, path)) else "")
            for host, what in ((first, one), (other, two))
        ]
        self._add(
            "inventory.differs",
            other,
            path,
            f"must be the same on every host, and differs: {' and '.join(sources)}.",
            "Set it once, in group_vars/all.",
        )

    def _add(self, code: str, host: str | None, path: KeyPath, what: str, fix: str) -> None:
        self.problems.append(HostProblem(code, host, path, what, fix))


def _told_once(problems: list[HostProblem], raw: RawInventory) -> Iterator[Finding]:
    """Findings of problems. Hosts that share one, because it comes from their group, share the finding."""
    hosts: dict[tuple[Any, ...], list[str]] = {}
    for problem in problems:
        location = raw.locate(problem.host, problem.path)
        key = (location, problem.severity, problem.code, problem.path, problem.what, problem.fix)
        hosts.setdefault(key, []).extend([problem.host] if problem.host else [])
    for (location, severity, code, path, what, fix), names in hosts.items():
        yield Finding(severity, code, place(location, _several(names), path), what, fix)


def _shared(findings: list[Finding], draft: Draft) -> Iterator[Finding]:
    """Findings of rules. Hosts that share one, because it comes from the same line of a file, share the finding."""
    alike: dict[tuple[Finding, str | None, KeyPath], list[str]] = {}
    for finding in findings:
        location, host, path = draft.placed.get(finding, (None, "", ()))
        same = replace(finding, where=place(location, None, path)) if location else finding
        alike.setdefault((same, location, path), []).append(host)
    for (finding, location, path), hosts in alike.items():
        yield replace(finding, where=place(location, _several(hosts), path)) if location else finding


def _as_json(value: Any) -> str:
    """A number or a truth value that was given as text, as JSON has it; for anything else a place for it."""
    plain = isinstance(value, str) and re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?|true|false", value.lower())
    return value.lower() if plain else "..."


def _several(names: list[str]) -> str | None:
    if len(names) <= _NAMED:
        return ", ".join(names) or None
    return f"{names[0]} and {len(names) - 1} other hosts"


def _canonical(value: Any) -> str:
    # Python takes 1, 1.0 and true for equal.
    return json.dumps(value, sort_keys=True, default=str)


_ABSENT = object()


def _difference(path: KeyPath, one: Any, two: Any) -> tuple[KeyPath, Any, Any]:
    """Where two values first differ."""
    if isinstance(one, dict) and isinstance(two, dict):
        for key in (*one, *(key for key in two if key not in one)):
            left, right = one.get(key, _ABSENT), two.get(key, _ABSENT)
            if left is _ABSENT or right is _ABSENT:
                return (*path, key), left, right
            if left != right or type(left) is not type(right):
                return _difference((*path, key), left, right)
    if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        for index, (left, right) in enumerate(zip(one, two, strict=True)):
            if left != right:
                return _difference((*path, index), left, right)
    return path, one, two


def _prune(value: Any, path: KeyPath) -> None:
    """Leave out a part of a value; an item of a list becomes None, so that the others keep their places."""
    for key in path[:-1]:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(value, dict):
        value.pop(path[-1], None)
    elif isinstance(value, list) and isinstance(path[-1], int):
        value[path[-1]] = None


def _assign(draft: Draft, remembered: Addresses) -> tuple[dict[str, dict[str, str]], list[HostProblem]]:
    hosts = {name: [network for network in host.ports if network in draft.ranges] for name, host in draft.hosts.items()}
    given: dict[str, dict[str, str]] = {}
    for name, host in draft.hosts.items():
        for network in hosts[name]:
            address = draft.given_address(host, network)
            if address:
                given.setdefault(name, {})[network] = address
    # Who has no given mgmt address is refused by a rule: an assigned one would be of no use.
    hosts = {
        name: [network for network in networks if network != "mgmt" or "mgmt" in given.get(name, {})]
        for name, networks in hosts.items()
    }
    addresses, conflicts = assign(draft.ranges, hosts, given, _well_formed(remembered))
    return addresses, [
        HostProblem(conflict.code, conflict.host, conflict.path, conflict.what, conflict.fix) for conflict in conflicts
    ]


def _well_formed(remembered: Any) -> Addresses:
    if not isinstance(remembered, MappingABC):
        return {}
    return {
        str(host): {str(network): address for network, address in own.items() if address_of(str(address))}
        for host, own in remembered.items()
        if isinstance(own, MappingABC)
    }


def _model(draft: Draft, addresses: Mapping[str, Mapping[str, str]]) -> Model:
    return Model(
        deployment=draft.variables["holdfast_deployment"],
        networks=dict(_networks(draft)),
        hosts={
            name: Host(
                name=name,
                groups=host.groups,
                addresses=addresses[name],
                ports=host.ports,
                variables={**draft.variables, **host.variables},
                connect=host.connect,
                more_addresses=draft.domain.more_addresses(host.variables),
                moving_addresses=draft.domain.moving_addresses(draft.variables, name),
                connect_ports=host.connect_ports,
            )
            for name, host in sorted(draft.hosts.items())
        },
        variables=draft.variables,
        uses=draft.domain.uses,
        claims=draft.domain.claims(draft, strict=True),
    )


def _networks(draft: Draft) -> Iterator[tuple[str, Network]]:
    for name, network in draft.networks.items():
        yield (
            name,
            Network(
                name=name,
                bridge=network.bridge,
                cidr=str(network.cidr),
                mtu=network.mtu,
                gateway=str(network.gateway) if network.gateway else None,
                dns=tuple(network.content.get("dns", ())),
                routes=tuple(network.content.get("routes", ())),
            ),
        )
