# SPDX-License-Identifier: Apache-2.0
"""The volume service's back ends in a model: volume groups, who attaches, names of services, clusters and types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..backend import Backends, secret_options
from ..inventory.draft import entries
from ..inventory.secrets import Named
from ..model import Host, Model

Backend = Mapping[str, Any]


def secrets(inventory: Any) -> Iterator[Named]:
    """What the devices of back ends want of a ``Draft`` or ``Model``: only who has the device knows it."""
    for host in inventory.group("cinder_volume"):
        for index, backend in entries(host.variables.get("cinder_backends")):
            for option, name in secret_options(backend):
                path = ("cinder_backends", index, "secret_options", option)
                yield Named(name, "what a device of cinder_backends asks for", None, path, host)


def portal_addresses(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Where a host serves its volumes beside its own address, by network: further ways to them."""
    return {"storage": variables.get("cinder_portal_addresses") or ()}


def volume_groups(host: Host) -> list[dict[str, Any]]:
    """``{name, devices, thin, wipe, adopt}`` of each volume group of a host, once."""
    found: dict[str, dict[str, Any]] = {}
    listed = host.variables.get("cinder_backends") or () if "cinder_volume" in host.groups else ()
    for backend in listed:
        if "volume_group" not in backend:
            continue
        name = backend["volume_group"]
        group = found.setdefault(
            name, {"name": name, "devices": [], "thin": backend.get("thin", True), "wipe": [], "adopt": None}
        )
        for key in ("devices", "wipe"):
            group[key] += [device for device in backend.get(key) or () if device not in group[key]]
        group["adopt"] = group["adopt"] or backend.get("adopt")
    return list(found.values())


def attaches_by_kernel(types: Backends | None, model: Model, host: Host) -> bool:
    """Whether a host may have to connect volumes by its kernel: for instances, for copies of its own, for backups.

    ``types`` are those of the volume service; None where it is not deployed.
    """
    if host.is_container:
        return False
    if "nova_compute" in host.groups:
        return True
    if types is None:
        return False
    hosts = model.group("cinder_volume") if "cinder_backup" in host.groups else (host,)
    return any(
        kind.reached(backend) == "kernel" for one in hosts for kind, backend in types.listed(one.groups, one.variables)
    )


def backends(model: Model) -> Iterator[tuple[Host, Backend]]:
    """Each back end of each host that manages some."""
    for host in model.group("cinder_volume"):
        for backend in host.variables.get("cinder_backends") or ():
            yield host, backend


def services(model: Model) -> list[str]:
    """The names under which cinder-volume enters itself: ``host@back end``, sorted."""
    return sorted(f"{host.name}@{backend['name']}" for host, backend in backends(model))


def clusters(types: Backends, model: Model) -> list[str]:
    """The names of clusters as volumes carry them: ``cluster@back end``, sorted."""
    locked = bool(model.group("etcd"))
    return sorted(
        {
            f"{backend.get('cluster') or model.deployment}@{backend['name']}"
            for host in model.group("cinder_volume")
            for kind, backend in types.listed(host.groups, host.variables)
            if kind.is_clustered(backend, locked=locked)
        }
    )


def types_of(described: Iterable[Backend]) -> Iterator[Mapping[str, Any]]:
    """The volume types that come with back ends."""
    return (backend["volume_type"] for backend in described if isinstance(backend.get("volume_type"), Mapping))


def volume_types(model: Model) -> list[dict[str, Any]]:
    """Every volume type that the model names, once, with ``backend``: the one that it asks for, or None."""
    found: dict[str, dict[str, Any]] = {}
    for _, backend in backends(model):
        for entry in types_of([backend]):
            found.setdefault(entry["name"], {**entry, "backend": backend["name"]})
    for entry in model.variables.get("cinder_volume_types") or ():
        found.setdefault(entry["name"], {"backend": None, **entry})
    return list(found.values())
