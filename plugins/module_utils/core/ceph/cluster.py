# SPDX-License-Identifier: Apache-2.0
"""The Ceph of a deployment, from the model and the secrets: its own cluster, or one that others administer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import flows
from ..config import merge
from ..errors import HoldfastError
from ..inventory.draft import entries
from ..inventory.secrets import Named
from ..model import Host, Model
from . import values as ceph
from .admin import ADMIN
from .clients import Client, clients, with_data_pools
from .secrets import FORMS

BOOTSTRAP_OSD = "client.bootstrap-osd"
_ROOT = "ceph_daemons_root_secret"
# Keys that are not a client's, by entity.
_SECRETS = {"mon.": "ceph_mon_key", ADMIN: "ceph_admin_key", BOOTSTRAP_OSD: "ceph_bootstrap_osd_key"}


def external(model: Model) -> Mapping[str, Any]:
    """``ceph_external``, empty when the cluster is the deployment's own."""
    found: Mapping[str, Any] = model.variables.get("ceph_external") or {}
    return found


def is_deployed(model: Model) -> bool:
    """Whether there is a cluster, of whichever kind."""
    return bool(external(model) or model.group("ceph_mon"))


def fsid(model: Model, secrets: Mapping[str, str]) -> str:
    """The cluster's UUID. Raises HoldfastError when there is no cluster."""
    found = external(model).get("fsid") or model.variables.get("ceph_fsid") or secrets.get("ceph_fsid")
    if not found:
        raise HoldfastError("There is no Ceph in this deployment. Put hosts into ceph_mon, or set ceph_external.")
    return str(found)


def dispensable_osd_host(model: Model) -> Host | None:
    """A host with OSDs whose absence costs no data, no quorum and not the only manager; None when there is none.

    The last of them, as the first ones are where administrators look.
    """
    with_osds = model.group("ceph_osd")
    monitors, managers = ({host.name for host in model.group(group)} for group in ("ceph_mon", "ceph_mgr"))
    if len(with_osds) < 3:
        return None
    for host in reversed(with_osds):
        if 2 * len(monitors - {host.name}) > len(monitors) and managers - {host.name}:
            return host
    return None


def mon_host(model: Model) -> str:
    """The monitors, for ceph.conf."""
    port = flows.port("ceph_mon")
    if monitors := external(model).get("monitors"):
        return ceph.mon_host(monitors, port)
    return ceph.mon_host(flows.server_addresses(model, flows.flow("ceph_mon")), port)


def secret_name(client: str) -> str:
    """The secret that is the key of ``client.NAME``."""
    return f"ceph_client_{client.replace('-', '_').replace('.', '_')}_key"


def key(secrets: Mapping[str, str], entity: str) -> str:
    """The key of an entity: a secret of its own for clients, derived from one secret for daemons.

    Raises HoldfastError when there is no such secret.
    """
    kind, _, name = entity.partition(".")
    if kind in ("mgr", "mds") or entity.startswith("client.rgw."):
        secret = secrets.get(_ROOT)
        return ceph.derived_key(_named(secret, _ROOT), entity)
    secret = _SECRETS.get(entity) or secret_name(name)
    return _named(secrets.get(secret), secret)


def keyring(model: Model, secrets: Mapping[str, str], entity: str) -> str:
    """The keyring file of an entity."""
    return ceph.keyring({entity: key(secrets, entity)})


def _named(value: str | None, name: str) -> str:
    if not value:
        raise HoldfastError(
            f"The secret {name} is missing. Put it into the vault file, or declare it in a service.yml."
        )
    return value


# -- what the cluster should have -----------------------------------------------------------------------------------

_OPTIONS = (
    # Clients that cannot keep their identity are refused (CVE-2021-20288).
    ("mon", "auth_allow_insecure_global_id_reclaim", False),
    # Who wants it says so for a pool.
    ("global", "osd_pool_default_pg_autoscale_mode", "off"),
)


def speaker(model: Model) -> str:
    """The host that tells the cluster what it should have: the first of the monitors', of ``ceph_admin`` elsewhere.

    Empty when there is nothing to tell.
    """
    if external(model) and not external(model).get("manage"):
        return ""
    hosts = model.group("ceph_admin") if external(model) else model.group("ceph_mon")
    return hosts[0].name if hosts else ""


def _clients(model: Model) -> dict[str, Client]:
    """The clients of services, by name."""
    if not is_deployed(model):
        return {}
    found = clients(model.claims, lambda group: bool(model.group(group)))
    with_data_pools(found, lambda name: _data_pools(model, name))
    return found


def _data_pools(model: Model, client: str) -> Iterator[str]:
    """Where a client's new images have their data when Ceph's options say another pool than the images' own."""
    overrides = (host.variables.get("ceph_conf_overrides") for host in model.hosts.values())
    for sections in (model.variables.get("ceph_config"), *overrides):
        for section in ("global", "client", f"client.{client}"):
            for name, value in ((sections or {}).get(section) or {}).items():
                if _plain(name) == "rbd_default_data_pool" and value:
                    yield str(value)


def _plain(option: str) -> str:
    return option.replace(" ", "_").replace("-", "_").lower()


def client_rights(model: Model) -> list[dict[str, Any]]:
    """``{name, caps}`` of every client: of the services that use Ceph, and of ``ceph_clients``."""
    own = [{"name": name, "caps": client.caps} for name, client in _clients(model).items()]
    return [*own, *(model.variables.get("ceph_clients") or ())]


def users(model: Model, host: Host) -> list[dict[str, str]]:
    """``{name, group, path}`` of the keyrings that the host needs, each with the system's group that reads it.

    Where several groups are one client, each has a file of its own: the first of them by name that which Ceph's tools
    look for (and cinder, which hands what is in it on), the others one that ``sections`` names too.
    """
    readers = {name: sorted(set(_on(client, host))) for name, client in _clients(model).items()}
    readers |= {client["name"]: [client.get("reader") or "root"] for client in _listed_on(model, host)}
    return [
        {"name": name, "group": group, "path": _keyring_file(f"ceph.client.{name}", group if place else "")}
        for name, groups in readers.items()
        for place, group in enumerate(groups)
    ]


def sections(model: Model, host: Host, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """What ceph.conf has on one host and not on others, with overrides laid over it.

    Where several groups are one client, the option ``keyring`` names all files: Ceph takes the first that it can open.
    The gateway's own is in another place.
    """
    others = sorted({entry["group"] for entry in users(model, host) if entry["path"].endswith(f"-{entry['group']}")})
    files = [_keyring_file("$cluster.$name", group) for group in ("", *others)]
    own = {"client": {"keyring": ",".join((*files, "$rgw_data/keyring"))}} if others else {}
    return merge(own, overrides)


def _keyring_file(entity: str, group: str = "") -> str:
    return f"/etc/ceph/{entity}.keyring{f'-{group}' if group else ''}"


def uses_on(model: Model, host: Host) -> list[dict[str, Any]]:
    """``{name, writes, reads}`` of the clients whose keyrings the host needs: the pools that each has to reach."""
    tried = [(name, client.tried) for name, client in _clients(model).items() if _on(client, host)]
    tried += [(client["name"], ceph.pools_tried(client["caps"].get("osd", ""))) for client in _listed_on(model, host)]
    return [{"name": name, "writes": writes, "reads": reads} for name, (writes, reads) in tried]


def _on(client: Client, host: Host) -> list[str]:
    """The system's groups that read the client's keyring on a host; none where the host is not that client."""
    return [reader for group, reader in client.groups.items() if group in host.groups]


def _listed_on(model: Model, host: Host) -> list[Mapping[str, Any]]:
    """The entries of ``ceph_clients`` whose keyrings the host needs."""
    listed = model.variables.get("ceph_clients") or () if is_deployed(model) else ()
    return [client for client in listed if {host.name, *host.groups}.intersection(client.get("hosts") or ())]


def secrets_of_clients(inventory: Any) -> list[Named]:
    """The keys of clients of a ``Draft`` or ``Model``: of services, and of ``ceph_clients``."""
    listed = (client["name"] for _, client in entries(inventory.variables.get("ceph_clients")) if "name" in client)
    names = (*clients(inventory.claims, lambda group: bool(inventory.group(group))), *listed)
    return [Named(secret_name(name), f"the key of Ceph's client {name}", FORMS["ceph_key"]) for name in names]


def wanted(model: Model, services: Any, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The options of the module ceph_cluster. Of a cluster that others administer, only what was asked for."""
    variables = model.variables
    manage = external(model).get("manage", ("clients", "pools"))
    own = not external(model)
    daemons = [
        (f"{kind}.{host.name}", ceph.DAEMON_CAPS[kind])
        for group, kind in (("ceph_mgr", "mgr"), ("ceph_mds", "mds"), ("ceph_rgw", "client.rgw"))
        for host in model.group(group)
    ]
    first = [(ADMIN, ceph.ADMIN_CAPS), (BOOTSTRAP_OSD, ceph.BOOTSTRAP_OSD_CAPS)]
    entities = [
        *([*first, *daemons] if own else ()),
        *((f"client.{client['name']}", client["caps"]) for client in client_rights(model) if "clients" in manage),
    ]
    pools = [_pool(model, pool) for pool in _pools(model, services) if "pools" in manage]
    result: dict[str, Any] = {
        "fsid": fsid(model, secrets),
        "host": speaker(model),
        "keys": [
            {"entity": entity, "key": key(secrets, entity), "caps": {name: text for name, text in caps.items() if text}}
            for entity, caps in entities
        ],
        "rules": list({pool["rule"]: rule for pool, rule in pools if rule["name"] != _DEFAULT_RULE}.values()),
        "pools": [pool for pool, _ in pools],
    }
    if own:
        result |= {
            "monitors": [{"name": host.name} for host in model.group("ceph_mon")],
            "config": _config(_described(services), _frontends(model), variables.get("ceph_config") or {}),
            "buckets": _buckets(model),
            "filesystems": [dict(entry) for entry in variables.get("ceph_filesystems") or ()],
            "modules": {**_described_modules(services), **(variables.get("ceph_mgr_modules") or {})},
            "flags": dict(variables.get("ceph_flags") or {}),
            "remove_osds": leaving(model, secrets),
            "remove_mons": list(variables.get("ceph_remove_mons") or ()),
        }
    return result


def leaving(model: Model, secrets: Mapping[str, str]) -> list[dict[str, str]]:
    """``{name, uuid}`` of the OSDs in ``ceph_remove_osds``. Numbers would not do: Ceph gives them out again."""
    cluster = fsid(model, secrets)
    found = []
    for name in model.variables.get("ceph_remove_osds") or ():
        host, _, device = name.partition(":")
        found.append({"name": name, "uuid": ceph.osd_uuid(cluster, host, device) if device else name})
    return found


_DEFAULT_RULE = "replicated_rule"


def _pools(model: Model, services: Any) -> list[Mapping[str, Any]]:
    """``ceph_pools``, and those of gateways and services that it does not list: nobody said how they are to be, so they
    are made where they are not.
    """
    given = list(model.variables.get("ceph_pools") or ())
    names = {pool["name"] for pool in given}
    of_gateways = ceph.RGW_POOLS if model.group("ceph_rgw") else {}
    found = [{"name": name, "application": "rgw", "pg_num": count} for name, count in of_gateways.items()]
    found += [pool for _, entry in services.entries("ceph") for pool in entry.get("pools", ())]
    more = ({**pool, "size": 3, "as_found": True} for pool in found if pool["name"] not in names)
    return [*given, *more]


def _pool(model: Model, pool: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A pool of ``ceph_pools`` as the module takes it, and the rule that spreads its copies."""
    domain = pool.get("failure_domain") or model.variables.get("ceph_failure_domain") or "host"
    device_class = pool.get("device_class")
    name = f"replicated_{domain}{f'_{device_class}' if device_class else ''}"
    if domain == "host" and not device_class:
        name = _DEFAULT_RULE
    size = pool["size"]
    made = {
        "name": pool["name"],
        "application": pool["application"],
        "size": size,
        "min_size": pool.get("min_size") or size // 2 + 1,
        "rule": name,
        **{
            option: pool[option]
            for option in ("pg_num", "target_size_ratio", "quota_bytes", "quota_objects", "as_found")
            if option in pool
        },
    }
    return made, {"name": name, "failure_domain": domain, "device_class": device_class}


def _described(services: Any) -> dict[str, Mapping[str, Any]]:
    """The options that services ask for in their descriptions."""
    return {
        section: options
        for _, entry in services.entries("ceph")
        for section, options in entry.get("config", {}).items()
    }


def _described_modules(services: Any) -> dict[str, bool]:
    """The manager's modules that services ask for in their descriptions."""
    return {name: on for _, entry in services.entries("ceph") for name, on in entry.get("modules", {}).items()}


def _frontends(model: Model) -> dict[str, Mapping[str, Any]]:
    return {
        f"client.rgw.{host.name}": {
            "rgw_frontends": f"beast endpoint={flows.bind_address(model, host, 'ceph_rgw')}:{flows.port('ceph_rgw')}"
        }
        for host in model.group("ceph_rgw")
    }


def _config(*given: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Options as the module takes them; a later source goes over an earlier one."""
    values = {(section, name): value for section, name, value in _OPTIONS}
    for sections in given:
        for section, options in sections.items():
            values |= {(section, name.replace(" ", "_")): value for name, value in options.items()}
    return [{"section": section, "name": name, "value": value} for (section, name), value in sorted(values.items())]


def crush_location(host: Host) -> str | None:
    """Where an OSD of the host enters itself when it starts; None on a host without OSDs.

    Ceph itself would take the kernel's name of the host, up to its first dot, and no rack.
    """
    if "ceph_osd" not in host.groups:
        return None
    rack = host.variables.get("ceph_rack")
    return f"root=default {f'rack={rack} ' if rack else ''}host={host.name}"


def _buckets(model: Model) -> list[dict[str, Any]]:
    hosts = model.group("ceph_osd")
    racks = sorted({host.variables["ceph_rack"] for host in hosts if host.variables.get("ceph_rack")})
    return [
        *({"name": rack, "type": "rack", "parent": "default"} for rack in racks),
        *(
            {
                "name": host.name,
                "type": "host",
                "parent": host.variables.get("ceph_rack") or "default",
                "anywhere": not host.variables.get("ceph_rack"),
            }
            for host in hosts
        ),
    ]
