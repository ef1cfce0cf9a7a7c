# SPDX-License-Identifier: Apache-2.0
"""What makes an inventory wrong although each value by itself is well-formed: rules, one file a subject.

A rule is a function from a ``Draft`` to findings, marked with ``@rule``. It reports each problem by itself and goes on
where values are missing: the schema has already complained about those, and all problems are told in one pass.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from types import ModuleType
from typing import Any

from ..errors import Finding, HoldfastError, Severity
from ..flows import Flow, complete
from ..flows.uses import Claims
from .addresses import Addresses, Range
from .domain import Domain
from .schema import KeyPath, dotted, ipv4, ipv4_network
from .secrets import Form

ACKNOWLEDGE = "holdfast_acknowledge"
SSH = "22"


@dataclass(frozen=True)
class ControllerFile:
    """A file of the controller that a variable names.

    Attributes:
        path: where it is, as commands there take it.
        content: what it holds, decrypted.
        is_encrypted: whether it is in a vault.
    """

    path: str
    content: bytes
    is_encrypted: bool = False


def no_file(path: str) -> ControllerFile:
    """What reads the files of a controller that has none. Raises HoldfastError."""
    raise HoldfastError(f"there is no file {path}. Fix: Give the path of a file.")


@dataclass(frozen=True)
class DraftHost:
    """A host as the inventory has it. ``variables`` are completed with defaults, and lack what its schema refused."""

    name: str
    groups: frozenset[str]
    variables: Mapping[str, Any]
    connect: str = ""
    """Where Ansible connects to: ``ansible_host``, or else the host's name."""
    port: str = ""
    """The port there, as the inventory has it; empty when it has none."""
    is_local: bool = False
    """Whether it is the controller itself, to which nobody connects."""
    connect_key: str = "ansible_host"
    """The name of the variable that ``connect`` is of: Ansible knows several."""
    port_key: str = "ansible_port"
    """Likewise of ``port``."""

    @property
    def ports(self) -> Mapping[str, Mapping[str, Any]]:
        """What carries each network of the host; entries that are no mapping are left out."""
        return mapping(self.variables.get("networks_ports"))

    @property
    def is_container(self) -> bool:
        return self.variables.get("holdfast_host_kind") == "container"

    @property
    def reached(self) -> tuple[str, str] | None:
        """Where it is reached and on which port, one spelling for each place; None for the controller itself."""
        return None if self.is_local else (spelt_once(self.connect), self.port or SSH)

    @property
    def connect_ports(self) -> tuple[int, ...]:
        """Where its SSH daemon listens, when that is not where all do.

        A port of another address than its own may be forwarded: then the daemon may listen on the usual one.
        """
        if self.is_local or not self.has_port or self.port == SSH:
            return ()
        forwarded = self.connect != self.mgmt_address
        return (int(SSH), int(self.port)) if forwarded else (int(self.port),)

    @property
    def has_port(self) -> bool:
        """Whether the inventory gives a port, and one that there is."""
        return bool(re.fullmatch(r"[1-9][0-9]{0,4}", self.port)) and int(self.port) < 1 << 16

    @property
    def mgmt_address(self) -> str | None:
        """The given address on mgmt: its own variable, or else the address where Ansible connects to."""
        given = (self.variables.get("networks_addresses") or {}).get("mgmt")
        return given or (self.connect if address_of(self.connect) else None)


@dataclass(frozen=True)
class DraftNetwork:
    """A network as far as it is well-formed."""

    name: str
    bridge: str
    cidr: IPv4Network
    mtu: int
    gateway: IPv4Address | None
    pool: tuple[IPv4Address, IPv4Address] | None
    content: Mapping[str, Any]


BEGINNING = datetime.fromtimestamp(0, UTC)
"""Of all time, where nobody says when it is."""


@dataclass(frozen=True)
class Draft:
    """An inventory that may still be wrong. ``given`` has the deployment's variables that the inventory itself sets."""

    hosts: Mapping[str, DraftHost]
    groups: Mapping[str, tuple[str, ...]]
    variables: Mapping[str, Any]
    given: frozenset[str] = frozenset()
    refused: frozenset[tuple[str | None, KeyPath]] = frozenset()
    """What the schemas refused, by host: rules that miss it must not complain again."""
    domain: Domain = field(default_factory=Domain)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    required_secrets: tuple[str, ...] = ()
    known_secrets: Mapping[str, Form] = field(default_factory=dict)
    plain_secrets: Mapping[str, str] = field(default_factory=dict)
    locate: Callable[[str | None, KeyPath], str | None] = lambda host, path: None
    read_file: Callable[[str], ControllerFile] = no_file
    now: datetime = BEGINNING
    variable_files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    addresses: Addresses = field(default_factory=dict)
    """Of every host on every network that it is on, assigned ones among them; where two collide, one of them."""
    placed: dict[Finding, tuple[str | None, str, KeyPath]] = field(default_factory=dict)
    """Where findings of a host's own value were made: file and line, host, key."""

    def group(self, *names: str) -> tuple[DraftHost, ...]:
        """Members of any of the groups, each once, by name."""
        return tuple(host for _, host in sorted(self.hosts.items()) if host.groups.intersection(names))

    def was_refused(self, path: KeyPath, host: DraftHost | None = None) -> bool:
        """Whether a value, or a part of it, stands in the inventory and was refused."""
        name = host.name if host else None
        return any(who == name and refused[: len(path)] == path for who, refused in self.refused)

    def acknowledges(self, weakness: str) -> bool:
        return weakness in (self.variables.get(ACKNOWLEDGE) or ())

    @cached_property
    def claims(self) -> Claims:
        """What services ask of what they use, as far as the inventory says it."""
        return self.domain.claims(self, strict=False)

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """The whole table of flows, on the networks that the inventory describes."""
        return complete(self.domain.uses, mapping(self.variables.get("networks_bridges")))

    @cached_property
    def networks(self) -> Mapping[str, DraftNetwork]:
        """The networks that have a well-formed ``cidr``."""
        return {
            name: DraftNetwork(
                name=name,
                bridge=content.get("bridge", f"br-{name}"),
                cidr=ipv4_network(content["cidr"]),
                mtu=content.get("mtu", 1500),
                gateway=ipv4(content["gateway"]) if "gateway" in content else None,
                pool=_pool(content.get("pool")),
                content=content,
            )
            for name, content in mapping(self.variables.get("networks_bridges")).items()
            if "cidr" in content
        }

    @cached_property
    def outsiders(self) -> tuple[tuple[KeyPath, IPv4Address], ...]:
        """Addresses of machines that are no hosts of the inventory, such as routers, with the places that name them."""
        found = (item for outsiders in self.domain.outsiders for item in outsiders(self.variables))
        addresses = ((path, address_of(text)) for path, text in found if isinstance(text, str))
        return tuple((path, address) for path, address in addresses if address)

    @cached_property
    def ranges(self) -> Mapping[str, Range]:
        """Where the addresses of each network come from."""
        return {name: self._range(network) for name, network in self.networks.items()}

    @cached_property
    def virtual_address(self) -> IPv4Address | None:
        address = self.variables.get("haproxy_address")
        return ipv4(address) if address else None

    def given_address(self, host: DraftHost, network: str) -> str | None:
        if network == "mgmt":
            return host.mgmt_address
        address = (host.variables.get("networks_addresses") or {}).get(network)
        return str(address) if address else None

    def where(self, path: KeyPath, host: DraftHost | None = None) -> str:
        """The file and line, if known, the host, if it is the host's own value, and the key."""
        return place(self.locate(host.name if host else None, path), host.name if host else None, path)

    def error(self, code: str, path: KeyPath, what: str, fix: str, host: DraftHost | None = None) -> Finding:
        return self.finding("error", code, path, what, fix, host)

    def advice(self, code: str, path: KeyPath, what: str, fix: str, host: DraftHost | None = None) -> Finding:
        return self.finding("advice", code, path, what, fix, host)

    def finding(
        self, severity: Severity, code: str, path: KeyPath, what: str, fix: str, host: DraftHost | None = None
    ) -> Finding:
        found = Finding(severity, code, self.where(path, host), what, fix)
        if host:
            self.placed[found] = (self.locate(host.name, path), host.name, path)
        return found

    def _range(self, network: DraftNetwork) -> Range:
        first, last = network.cidr.network_address, network.cidr.broadcast_address
        if network.pool and first <= network.pool[0] <= network.pool[1] <= last:
            first, last = network.pool
        reserved = {address for _, address in self.outsiders}
        reserved |= {self.virtual_address} if self.virtual_address else set()
        return Range(network.cidr, first, last, frozenset(reserved))


Rule = Callable[[Draft], Iterable[Finding]]


def rule(function: Rule) -> Rule:
    """Mark a function as a rule: ``rules_of`` its module has it."""
    function.is_rule = True  # type: ignore[attr-defined]
    return function


def rules_of(*modules: ModuleType) -> tuple[Rule, ...]:
    """The rules of modules, in the order in which they stand there."""
    return tuple(
        value
        for module in modules
        for value in vars(module).values()
        if getattr(value, "is_rule", False) and value.__module__ == module.__name__
    )


def place(location: str | None, host: str | None, path: KeyPath) -> str:
    """Where a finding is: file and line, host and key, as far as they are known."""
    subject = f"{location} ({host})" if location and host else location or host or "all hosts"
    return f"{subject}: {dotted(path)}" if path else subject


def entries(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The mappings in a list, with their places; what is no mapping was refused before."""
    if isinstance(value, (list, tuple)):
        yield from ((index, item) for index, item in enumerate(value) if isinstance(item, Mapping))


def mapping(value: Any) -> Mapping[str, Mapping[str, Any]]:
    """The mappings in a mapping."""
    return {key: item for key, item in value.items() if isinstance(item, Mapping)} if isinstance(value, Mapping) else {}


def address_of(text: str) -> IPv4Address | None:
    """The IPv4 address that a text is, or None."""
    try:
        return ipv4(text)
    except ValueError:
        return None


def spelt_once(text: str) -> str:
    """A name or an address in the one form of all that mean the same: Host1.example., 10.1, FD00:0::1 in brackets."""
    plain = text.strip().lower().removeprefix("[").removesuffix("]").rstrip(".")
    plain = "127.0.0.1" if plain in ("localhost", "localhost.localdomain") else plain
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(plain)
        return str(getattr(address, "ipv4_mapped", None) or address)
    with contextlib.suppress(OSError):
        if re.fullmatch(r"[0-9a-fx.]+", plain):
            return socket.inet_ntoa(socket.inet_aton(plain))
    return plain


def why_not_ipv4(text: str) -> str:
    """The reason for which a text is no IPv4 address; empty when it is one."""
    try:
        ipv4(text)
    except ValueError as error:
        return str(error)
    return ""


def listed(names: Iterable[str]) -> str:
    """Names for a sentence, sorted."""
    return ", ".join(sorted(names))


def _pool(value: Any) -> tuple[IPv4Address, IPv4Address] | None:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(item, str) for item in value):
        return ipv4(value[0]), ipv4(value[1])
    return None
