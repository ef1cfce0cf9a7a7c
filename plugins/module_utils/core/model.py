# SPDX-License-Identifier: Apache-2.0
"""The model: what the inventory says, checked, completed with defaults and addresses, as plain frozen values.

Built by ``inventory.build`` on the controller. It holds no secret: those come from ``secrets``, beside it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Network:
    """One of the three networks. ``name`` is ``mgmt``, ``storage`` or ``repl``."""

    name: str
    bridge: str
    cidr: str
    mtu: int = 1500
    gateway: str | None = None
    dns: tuple[str, ...] = ()
    routes: tuple[Mapping[str, str], ...] = ()

    @property
    def prefix_length(self) -> int:
        return ipaddress.ip_network(self.cidr).prefixlen


@dataclass(frozen=True)
class Host:
    """A host: ``variables`` are the host's own values of every known variable, defaults filled in.

    ``addresses`` maps the networks that the host is on to its address there, without prefix length.
    ``ports`` maps them to what carries the bridge: ``{interface, vlan?}`` or ``{bond: {...}, vlan?}``.
    ``more_addresses`` are those that it has there besides, for the flows that say so; ``moving_addresses`` those that
    another host may hold for it. ``connect_ports`` are where it is reached by Ansible, when that is not where everybody
    is.
    """

    name: str
    groups: frozenset[str]
    addresses: Mapping[str, str]
    ports: Mapping[str, Mapping[str, Any]]
    variables: Mapping[str, Any]
    connect: str = ""
    more_addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    moving_addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    connect_ports: tuple[int, ...] = ()

    @property
    def is_container(self) -> bool:
        return bool(self.variables.get("holdfast_host_kind") == "container")


@dataclass(frozen=True)
class Model:
    """A deployment. ``variables`` are those that are the same on every host.

    ``uses`` are the groups that use what a flow offers (``flows.Uses``), as the descriptions of services say,
    ``claims`` what services ask of what they use: pools with rights, shares with owners (``flows.Claims``).
    """

    deployment: str
    networks: Mapping[str, Network]
    hosts: Mapping[str, Host]
    variables: Mapping[str, Any]
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    claims: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)

    def group(self, *names: str) -> tuple[Host, ...]:
        """Members of any of the groups, each once, in a stable order (by host name)."""
        return tuple(host for _, host in sorted(self.hosts.items()) if host.groups.intersection(names))

    def as_dict(self) -> dict[str, Any]:
        plain = asdict(self)
        for host in plain["hosts"].values():
            host["groups"] = sorted(host["groups"])
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Model:
        return cls(
            deployment=plain["deployment"],
            networks={
                name: Network(**{**net, "dns": tuple(net["dns"]), "routes": tuple(net["routes"])})
                for name, net in plain["networks"].items()
            },
            hosts={
                name: Host(
                    **{
                        **host,
                        "groups": frozenset(host["groups"]),
                        "more_addresses": _tuples(host["more_addresses"]),
                        "moving_addresses": _tuples(host["moving_addresses"]),
                        "connect_ports": tuple(host["connect_ports"]),
                    }
                )
                for name, host in plain["hosts"].items()
            },
            variables=plain["variables"],
            uses=_tuples(plain["uses"]),
            claims=_tuples(plain["claims"]),
        )


def _tuples(plain: Mapping[str, list[Any]]) -> dict[str, tuple[Any, ...]]:
    return {name: tuple(values) for name, values in plain.items()}
