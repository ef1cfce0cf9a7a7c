# SPDX-License-Identifier: Apache-2.0
"""Expressions of service descriptions: how they are evaluated, and what they may ask for."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jinja2
import jinja2.sandbox

from .. import flows
from ..errors import HoldfastError
from ..model import Host, Model, host_uuid
from . import backends
from .load import Description, groups

CA_BUNDLE = "/etc/holdfast/tls/ca.pem"
HEALTH_CHECK = "/healthcheck"
"""The path that the load balancer asks a server for, unless a description says another."""
_EXPRESSION = re.compile(r"^\{\{((?:(?!\}\}).)*)\}\}$", re.S)


@dataclass(frozen=True)
class View:
    """What an expression of a description sees of a host. Its public methods are functions of the same name there.

    Attributes:
        description: where the expression stands.
        deployed: the descriptions of all services that the model deploys.
    """

    model: Model
    host: Host
    secrets: Mapping[str, str]
    description: Description
    deployed: tuple[Description, ...]

    def network(self, name: str) -> Any:
        """The network of the model."""
        return self.model.networks[name]

    def address(self, network: str = "mgmt") -> str:
        """The host's own on a network. Raises HoldfastError where it has none."""
        try:
            return self.host.addresses[network]
        except KeyError:
            raise HoldfastError(
                f"{self.host.name}: {self.description.name} needs an address on the network {network}, which the host "
                f"is not on. Give the host a port there (networks_ports.{network})."
            ) from None

    def variable(self, name: str) -> Any:
        """The host's variable of a name that is put together. Raises HoldfastError when it is not declared."""
        try:
            return self.host.variables[name]
        except KeyError:
            raise HoldfastError(f"{self.description.where}: the variable {name} is not declared.") from None

    def secret(self, name: str) -> str:
        """A secret of the deployment. Raises HoldfastError when no description has it."""
        try:
            return self.secrets[name]
        except KeyError:
            raise HoldfastError(f"{self.description.where}: the secret {name} is not declared.") from None

    def bind(self, flow: str) -> str:
        """Where the host serves a flow."""
        return flows.bind_address(self.model, self.host, flow)

    def place(self, flow: str) -> str:
        """``address:port`` where the host serves a flow, with the path that the load balancer asks, if it does.

        Without the path where a server which is well answers it otherwise than with success.
        """
        asked = self.description.content.get("balancer", ())
        told = (entry for entry in asked if entry["flow"] == flow and "answers" not in entry)
        check = next((entry.get("check", HEALTH_CHECK) for entry in told), "")
        return f"{self.bind(flow)}:{flows.port(flow)}{check}"

    def dial(self, flow: str) -> list[str]:
        """``address:port`` of each place where the host reaches a flow."""
        return [f"{to}:{flows.port(flow)}" for to in flows.dial_addresses(self.model, self.host, flow)]

    def url(self, flow: str) -> str:
        """The load balancer's URL of a flow."""
        name = self.model.variables.get("haproxy_name") or flows.dial_addresses(self.model, self.host, flow)[0]
        return f"https://{name}:{flows.port(flow)}"

    def members(self, group: str, network: str = "mgmt") -> list[str]:
        """Addresses of a group's hosts."""
        return [member.addresses[network] for member in self.model.group(group)]

    def host_uuid(self) -> str:
        """The host's own, the same in every run."""
        return host_uuid(self.model, self.host)

    def elsewhere(self) -> dict[str, str]:
        """Services that the model deploys, and not on this host, each with the system user that it runs as."""
        found: dict[str, str] = {}
        here = {"all", *self.host.groups}
        for other in self.deployed:
            users = [
                (part["user"], here.intersection(groups(part)))
                for part in other.content.get("components", ())
                if "user" in part
            ]
            if users and not any(runs for _, runs in users):
                found[other.name] = users[0][0]
        return found

    def balancers(self, seen: Callable[[View], Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The front ends of the load balancer: what descriptions say, with ``{name, port, public, servers}``.

        ``seen`` is what expressions see there; those of another service see its first server.
        """
        return [
            {
                "check": HEALTH_CHECK,
                **evaluate(entry, seen(replace(self, description=other, host=servers[0])), other.where),
                "name": entry["flow"],
                "port": flows.port(entry["flow"]),
                "public": self.url(entry["flow"]).removeprefix("https://"),
                "servers": [{"name": server.name, "address": server.addresses["mgmt"]} for server in servers],
            }
            for other in self.deployed
            for entry in other.content.get("balancer", ())
            if flows.servers(self.model, flows.flow(f"{entry['flow']}{flows.FRONTEND}"))
            and (servers := flows.servers(self.model, flows.flow(entry["flow"])))
        ]


Names = Callable[[View], Mapping[str, Any]]
"""What a subject lets expressions ask: functions and values by name, for what an expression sees."""

_FUNCTIONS = [name for name, what in vars(View).items() if callable(what) and not name.startswith("_")]


def names(view: View, handed_in: Iterable[Names]) -> dict[str, Any]:
    """All names that an expression sees: the host's variables, functions over the model, and what subjects hand in."""
    found = {
        **view.host.variables,
        "host": view.host,
        "model": view.model,
        "service": view.description.name,
        "port": flows.port,
        "port_range": flows.port_range,
        **{name: getattr(view, name) for name in _FUNCTIONS},
    }
    handed_in = tuple(handed_in)
    found["balancers"] = lambda: view.balancers(lambda other: names(other, handed_in))
    for more in handed_in:
        found.update(more(view))
    if types := view.description.backend_types:
        where = f"roles/{view.description.role}/backends"
        found.update(
            backends.expressions(
                types,
                view.model,
                view.host,
                lambda value, item: evaluate(value, {**found, "item": item}, f"{where}/{item['type']}.yml"),
                view.secret,
            )
        )
    return found


def evaluate(value: Any, context: Mapping[str, Any], where: str) -> Any:
    """Expressions in a value evaluated: a string that is one expression gives that expression's own type.

    List items and mapping values whose ``when`` is false are left out. Raises HoldfastError with ``where`` it stands.
    """
    if isinstance(value, str):
        if "{{" not in value and "{%" not in value:
            return value
        whole = _EXPRESSION.match(value.strip())
        return _value(whole.group(1).strip(), value, context, where) if whole else render(value, context, where)
    if isinstance(value, Mapping):
        return {name: evaluate(item, context, f"{where}: {name}") for name, item in value.items() if name != "when"}
    if isinstance(value, (list, tuple)):
        return [
            evaluate(item, context, where)
            for item in value
            if not (isinstance(item, Mapping) and "when" in item) or evaluate(item["when"], context, where)
        ]
    return value


def render(source: str, context: Mapping[str, Any], where: str) -> str:
    """A template's text. Raises HoldfastError with ``where`` it stands."""
    try:
        return _template(source).render(context)
    except jinja2.TemplateError as error:
        raise HoldfastError(f"{where}: {error}.") from error


def _value(source: str, shown: str, context: Mapping[str, Any], where: str) -> Any:
    try:
        result = _expression(source)(context)
    except jinja2.TemplateError as error:
        raise HoldfastError(f"{where}: the expression {shown!r} failed: {error}.") from error
    if isinstance(result, jinja2.Undefined):
        raise HoldfastError(f"{where}: the expression {shown!r} is undefined.")
    return result


_ENVIRONMENT = jinja2.sandbox.SandboxedEnvironment(
    undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
)


@functools.lru_cache(maxsize=4096)
def _expression(source: str) -> Callable[..., Any]:
    return _ENVIRONMENT.compile_expression(source, undefined_to_none=False)


@functools.lru_cache(maxsize=4096)
def _template(source: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(source)
