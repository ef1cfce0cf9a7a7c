# SPDX-License-Identifier: Apache-2.0
"""Back ends of shared file systems in a model: protocols, volume groups, names of services, share types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..backend import Backends, Entry, secret_options
from ..description.expressions import evaluate
from ..inventory.disks import Disk
from ..inventory.draft import entries
from ..inventory.schema import KeyPath
from ..inventory.secrets import Named
from ..model import Host, Model

VARIABLE, GROUP = "manila_backends", "manila_share"
BACKEND_NAME = "share_backend_name"
# What manila calls the ways to shares of a type, where the entry does not say.
_PROTOCOLS = {"cephfs": "CEPHFS"}
_USUAL = "NFS"


def protocols(entry: Entry) -> tuple[str, ...]:
    """By what the shares of a back end may be reached, in manila's words."""
    given = entry.get("protocols") or entry.get("share_protocols")
    return tuple(given or [_PROTOCOLS.get(str(entry.get("type")), _USUAL)])


def user(entry: Entry) -> str:
    """The user of Ceph of a back end on CephFS; empty for others."""
    return str(entry.get("user") or f"manila-{entry.get('name')}") if "filesystem" in entry else ""


def cluster(entry: Entry, variables: Mapping[str, Any]) -> str:
    """The NFS servers of a back end on CephFS; empty for others."""
    return str(entry.get("cluster") or variables.get("ganesha_cluster")) if entry.get("type") == "cephfs_nfs" else ""


def backends(model: Model) -> Iterator[tuple[Host, Entry]]:
    """Each back end with its host."""
    for host in model.group(GROUP):
        yield from ((host, entry) for entry in host.variables.get(VARIABLE) or ())


def services(model: Model) -> list[str]:
    """The names under which manila-share enters its back ends: ``host@back end``, sorted."""
    return sorted(f"{host.name}@{entry['name']}" for host, entry in backends(model))


def all_protocols(model: Model) -> list[str]:
    """By what shares of the deployment may be reached."""
    return sorted({protocol for _, entry in backends(model) for protocol in protocols(entry)})


def volume_groups(host: Host) -> list[dict[str, Any]]:
    """``{name, devices, thin, wipe, adopt}`` of each volume group of a host that holds shares."""
    listed = host.variables.get(VARIABLE) or () if GROUP in host.groups else ()
    return [
        {
            "name": entry["volume_group"],
            "devices": list(entry["devices"]),
            # The driver makes volumes that have their space.
            "thin": False,
            "wipe": list(entry.get("wipe") or ()),
            "adopt": entry.get("adopt"),
        }
        for entry in listed
        if "volume_group" in entry
    ]


def disks(variables: Mapping[str, Any]) -> Iterator[Disk]:
    """The disks of volume groups."""
    for index, entry in entries(variables.get(VARIABLE)):
        for place, device in enumerate(entry.get("devices") or ()):
            if isinstance(device, str):
                path: KeyPath = (VARIABLE, index, "devices", place)
                yield Disk(device, path, "manila", GROUP, f"the volume group {entry.get('volume_group')}")


def secrets(inventory: Any) -> Iterator[Named]:
    """What the devices of back ends want of a ``Draft`` or ``Model``: only who has the device knows it."""
    for host in inventory.group(GROUP):
        for index, entry in entries(host.variables.get(VARIABLE)):
            for option, name in secret_options(entry):
                path = (VARIABLE, index, "secret_options", option)
                yield Named(name, "what a device of manila_backends asks for", None, path, host)


def share_types(types: Backends, model: Model) -> list[dict[str, Any]]:
    """Every share type that the model names, once: ``{name, description, default, public, extra_specs, backend}``.

    Those that ask for a back end say of it what its type does, and what they say themselves over that.
    """
    known = {entry["name"]: entry for _, entry in backends(model)}
    found: dict[str, dict[str, Any]] = {}
    for entry in known.values():
        if isinstance(entry.get("share_type"), Mapping):
            found.setdefault(entry["share_type"]["name"], {**entry["share_type"], "backend": entry["name"]})
    for given in model.variables.get("manila_share_types") or ():
        found.setdefault(given["name"], {"backend": None, **given})
    return [{**given, "extra_specs": _specs(types, known.get(given["backend"]), given)} for given in found.values()]


def _specs(types: Backends, entry: Entry | None, given: Mapping[str, Any]) -> dict[str, str]:
    """All extra specs of a share type, as texts."""
    own = given.get("extra_specs") or {}
    if entry is None:
        # Without it the API takes no type.
        return _texts({"driver_handles_share_servers": False, **own})
    where = f"roles/manila/backends/{entry['type']}.yml"
    derived = evaluate(dict(types.types[entry["type"]].type_specs), {"item": entry}, where)
    return _texts({BACKEND_NAME: entry["name"], **derived, **own})


def _texts(specs: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in specs.items() if value is not None}


def default_share_type(model: Model) -> str | None:
    """The name of the type that a share is of when nobody names one; None when none is."""
    listed = [entry["share_type"] for _, entry in backends(model) if isinstance(entry.get("share_type"), Mapping)]
    listed += model.variables.get("manila_share_types") or ()
    return next((entry["name"] for entry in listed if entry.get("default")), None)
