# SPDX-License-Identifier: Apache-2.0
"""Service descriptions: what ``roles/<service>/service.yml`` says, evaluated for a host of the model.

Runs on the controller. The form is in docs/architecture.md.
"""

from __future__ import annotations

import functools
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import jinja2.sandbox

from .. import flows
from ..base.kinds import disk
from ..ceph import site as ceph_site
from ..cinder import backends as block
from ..config import RENDERERS, merge, parse_ini
from ..errors import HoldfastError
from ..model import Host, Model
from ..nfs import shares as nfs

CA_BUNDLE = "/etc/holdfast/tls/ca.pem"
_EXPRESSION = re.compile(r"^\{\{((?:(?!\}\}).)*)\}\}$", re.S)


@dataclass(frozen=True)
class Description:
    """One service.yml as it stands, with the role it came from and the role's templates by name."""

    role: str
    content: Mapping[str, Any]
    templates: Mapping[str, str]

    @property
    def name(self) -> str:
        return str(self.content["service"])

    @property
    def phase(self) -> str:
        return str(self.content.get("phase", "services"))

    @property
    def phases(self) -> frozenset[str]:
        """The phases of its components: its own, but for those that name another."""
        return frozenset(component.get("phase", self.phase) for component in self.content.get("components", ()))

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups whose members get something of it."""
        return tuple(dict.fromkeys(g for component in self.content.get("components", ()) for g in _groups(component)))


class Services:
    """The descriptions of the services that a model deploys, seen by the kinds.

    ``phase`` narrows ``components`` to the descriptions of that phase; see ``within``.
    """

    def __init__(
        self, descriptions: Sequence[Description], model: Model, secrets: Mapping[str, str], phase: str | None = None
    ) -> None:
        self.descriptions = tuple(
            description
            for description in descriptions
            if any(group == "all" or model.group(group) for group in description.groups)
        )
        self.model = model
        self.secrets = secrets
        self.phase = phase
        self._components: dict[tuple[str, str], tuple[dict[str, Any], ...]] = {}

    def within(self, phase: str) -> Services:
        """The same services, of which ``components`` yields only those that the phase applies."""
        view = Services(self.descriptions, self.model, self.secrets, phase)
        view._components = self._components
        return view

    def components(self, host: Host) -> Iterator[dict[str, Any]]:
        """What the host gets: each component evaluated, with ``service``, ``files`` rendered to text."""
        for description in self.descriptions:
            if self.phase is not None and self.phase not in description.phases:
                continue
            key = (description.name, host.name)
            if key not in self._components:
                self._components[key] = tuple(self._evaluate_components(description, host))
            for component in self._components[key]:
                if self.phase in (None, component["phase"]):
                    yield component

    def entries(self, name: str) -> Iterator[tuple[Description, Any]]:
        """A top-level entry (``database``, ``identity``, ...) of every deployed service that has it, evaluated.

        It concerns the deployment and not a host: expressions see the first member of the service's first group.
        """
        for description in self.descriptions:
            if name in description.content:
                yield description, self.evaluate(description, description.content[name], self.first_host(description))

    def first_host(self, description: Description) -> Host:
        group = description.groups[0]
        members = self.model.group(group) if group != "all" else tuple(self.model.hosts.values())
        return members[0]

    def evaluate(self, description: Description, value: Any, host: Host) -> Any:
        """A value of a description with its expressions evaluated for the host."""
        context = _context(self, description, host)
        return _evaluate(value, context, f"roles/{description.role}/service.yml")

    def _evaluate_components(self, description: Description, host: Host) -> Iterator[dict[str, Any]]:
        where = f"roles/{description.role}/service.yml"
        for component in description.content.get("components", ()):
            if not {"all", *host.groups}.intersection(_groups(component)):
                continue
            context = _context(self, description, host)
            if not _evaluate(component.get("when", True), context, where):
                continue
            plain = {name: value for name, value in component.items() if name not in ("files", "when")}
            result = _evaluate(plain, context, where)
            result["service"] = description.name
            result.setdefault("phase", description.phase)
            result["files"] = [
                _render_file(description, result, entry, here, where)
                for entry in component.get("files", ())
                for here in _for_each(entry, context, where)
                if _evaluate(entry.get("when", True), here, where)
            ]
            yield result


def _groups(component: Mapping[str, Any]) -> tuple[str, ...]:
    """The groups of a component: one, or a list of them."""
    group = component["group"]
    return (group,) if isinstance(group, str) else tuple(group)


def _for_each(entry: Mapping[str, Any], context: Mapping[str, Any], where: str) -> Iterator[Mapping[str, Any]]:
    """The context itself, or with ``each``, a list, once for each ``item`` of it."""
    if "each" not in entry:
        yield context
        return
    for item in _evaluate(entry["each"], context, where):
        yield {**context, "item": item}


def _render_file(
    description: Description,
    component: Mapping[str, Any],
    entry: Mapping[str, Any],
    context: Mapping[str, Any],
    where: str,
) -> dict[str, Any]:
    plain = {name: value for name, value in entry.items() if name not in ("content", "each", "when", "template")}
    result: dict[str, Any] = {
        "owner": "root",
        "group": component.get("user", "root"),
        "mode": "0640" if component.get("user") else "0644",
        **_evaluate(plain, context, where),
    }
    overrides = result.pop("overrides", None)
    if isinstance(overrides, str):
        overrides = context[overrides]
    form = result.pop("format", "text")
    if "template" in entry:
        text = _render_text(description.templates[entry["template"]], context, f"{where}: {entry['template']}")
        content: Any = parse_ini(text) if form == "ini" else text
    elif result.get("state", "file") == "file":
        content = _evaluate(entry["content"], context, f"{where}: {result['path']}")
    else:
        return result
    result["content"] = RENDERERS[form](merge(content, overrides) if overrides else content)
    return result


# -- expressions ------------------------------------------------------------------------------------------------


def _environment() -> jinja2.Environment:
    return jinja2.sandbox.SandboxedEnvironment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )


_ENVIRONMENT = _environment()


@functools.lru_cache(maxsize=4096)
def _expression(source: str) -> Callable[..., Any]:
    return _ENVIRONMENT.compile_expression(source, undefined_to_none=False)


@functools.lru_cache(maxsize=4096)
def _template(source: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(source)


def _evaluate(value: Any, context: Mapping[str, Any], where: str) -> Any:
    """Expressions in a value evaluated: a string that is one expression gives that expression's own type.

    List items and mapping values whose ``when`` is false are left out.
    """
    if isinstance(value, str):
        if "{{" not in value and "{%" not in value:
            return value
        whole = _EXPRESSION.match(value.strip())
        if not whole:
            return _render_text(value, context, where)
        try:
            result = _expression(whole.group(1).strip())(context)
        except jinja2.TemplateError as error:
            raise HoldfastError(f"{where}: the expression {value!r} failed: {error}.") from error
        if isinstance(result, jinja2.Undefined):
            raise HoldfastError(f"{where}: the expression {value!r} is undefined.")
        return result
    if isinstance(value, Mapping):
        return {name: _evaluate(item, context, f"{where}: {name}") for name, item in value.items() if name != "when"}
    if isinstance(value, (list, tuple)):
        return [
            _evaluate(item, context, where)
            for item in value
            if not (isinstance(item, Mapping) and "when" in item) or _evaluate(item["when"], context, where)
        ]
    return value


def _render_text(source: str, context: Mapping[str, Any], where: str) -> str:
    try:
        return _template(source).render(context)
    except jinja2.TemplateError as error:
        raise HoldfastError(f"{where}: {error}.") from error


def _context(services: Services, description: Description, host: Host) -> Mapping[str, Any]:
    """The names that an expression sees: the host's variables, and functions over the model."""
    model, secrets = services.model, services.secrets

    def address(network: str = "mgmt") -> str:
        try:
            return host.addresses[network]
        except KeyError:
            raise HoldfastError(
                f"{host.name}: {description.name} needs an address on the network {network}, which the host is not "
                f"on. Give the host a port there (networks_ports.{network})."
            ) from None

    def secret(name: str) -> str:
        try:
            return secrets[name]
        except KeyError:
            raise HoldfastError(f"roles/{description.role}/service.yml: the secret {name} is not declared.") from None

    def dial(flow: str) -> list[str]:
        return [f"{to}:{flows.port(flow)}" for to in flows.dial_addresses(model, host, flow)]

    def url(flow: str) -> str:
        name = model.variables.get("haproxy_name") or flows.dial_addresses(model, host, flow)[0]
        return f"https://{name}:{flows.port(flow)}"

    def place(flow: str) -> str:
        check = next((entry["check"] for entry in description.content.get("balancer", ()) if entry["flow"] == flow), "")
        return f"{flows.bind_address(model, host, flow)}:{flows.port(flow)}{check}"

    def members(group: str, network: str = "mgmt") -> list[str]:
        return [member.addresses[network] for member in model.group(group)]

    def database_url(name: str) -> str:
        target = flows.dial_addresses(model, host, "mariadb")[0]
        return (
            f"mysql+pymysql://{name}:{secret(f'{name}_database_password')}@{target}:{flows.port('mariadb')}/{name}"
            f"?charset=utf8mb4&ssl_ca={CA_BUNDLE}&ssl_check_hostname=true"
        )

    def queue_url(name: str) -> str:
        user = f"{name}:{secret(f'{name}_message_queue_password')}"
        return "rabbit://" + ",".join(f"{user}@{to}" for to in dial("rabbitmq")) + f"/{name}"

    def keystone_auth(name: str) -> dict[str, Any]:
        return {
            "www_authenticate_uri": url("keystone"),
            "auth_url": url("keystone"),
            "auth_type": "password",
            "username": name,
            "password": secret(f"{name}_identity_password"),
            "user_domain_name": "Default",
            "project_name": "service",
            "project_domain_name": "Default",
            "region_name": model.variables["holdfast_region"],
            "cafile": CA_BUNDLE,
        }

    def balancers() -> list[dict[str, Any]]:
        return [
            {
                **entry,
                "name": entry["flow"],
                "port": flows.port(entry["flow"]),
                "servers": [
                    {"name": server.name, "address": server.addresses["mgmt"]}
                    for server in flows.servers(model, flows.flow(entry["flow"]))
                ],
            }
            for other in services.descriptions
            for entry in other.content.get("balancer", ())
            if flows.servers(model, flows.flow(f"{entry['flow']}{flows.FRONTEND}"))
        ]

    def nfs_mount(share: str, where: str) -> dict[str, str]:
        """``{unit, content}`` of the unit that mounts a share."""
        options = str(model.variables["nfs_mount_options"])
        return {
            "unit": disk.unit_name(where, "mount"),
            "content": nfs.mount_unit(nfs.source(model, share), where, options),
        }

    return {
        **host.variables,
        "host": host,
        "model": model,
        "network": lambda name: model.networks[name],
        "address": address,
        "bind": lambda flow: flows.bind_address(model, host, flow),
        "place": place,
        "port": flows.port,
        "dial": dial,
        "url": url,
        "members": members,
        "secret": secret,
        "database_url": database_url,
        "queue_url": queue_url,
        "keystone_auth": keystone_auth,
        "balancers": balancers,
        "ceph_fsid": lambda: ceph_site.fsid(model, secrets),
        "ceph_monitors": lambda: ceph_site.mon_host(model),
        "ceph_users": lambda: ceph_site.users(model, host),
        "ceph_keyring": lambda entity: ceph_site.keyring(model, secrets, entity),
        "port_range": flows.port_range,
        "nfs_share_files": lambda: nfs.share_files(model, host),
        "nfs_mount": nfs_mount,
        "nfs_mount_units": lambda stores: [
            {"name": unit, "files": [f"/etc/systemd/system/{unit}"], "packages": []}
            for store in stores
            if store.get("nfs")
            for unit in [disk.unit_name(store["path"], "mount")]
        ],
        "volume_groups": lambda: block.volume_groups(host),
        "volume_protocols": lambda: block.protocols(host),
        "device_unit": lambda path: disk.unit_name(path, "device"),
        "attaches_by_kernel": lambda: block.attaches_by_kernel(model, host),
        "host_uuid": lambda: str(uuid.uuid5(uuid.NAMESPACE_URL, f"holdfast:{model.deployment}/{host.name}")),
    }
