# SPDX-License-Identifier: Apache-2.0
"""What is known of the volume service's back ends: how they connect, which may be active on several hosts at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..model import Host, Model

Backend = Mapping[str, Any]

# The drivers of cinder 26 that say so themselves (SUPPORTS_ACTIVE_ACTIVE), by module or class below
# cinder.volume.drivers. What is derived from them in the same module can too.
_ACTIVE_ACTIVE = re.compile(
    r"(?:cinder\.volume\.drivers\.)?(?:"
    r"rbd\.RBDDriver|ceph\.rbd_iscsi\.\w+|lightos\.\w+|dell_emc\.powermax\.(?:iscsi|fc)\.\w+"
    r"|dell_emc\.powerstore\.driver\.\w+|dell_emc\.powerflex\.driver\.\w+|pure\.\w+|yadro\.tatlin_(?:iscsi|fc)\.\w+"
    r"|solidfire\.\w+|netapp\.dataontap\.(?:iscsi|nfs|fc)_cmode\.\w+|netapp\.common\.NetAppDriver)"
)
_KERNEL = frozenset({"iscsi", "fc", "nvme", "nvmet_tcp"})

# Groups of hosts that follow from their back ends of the type lvm, by the protocol: who serves it in the flow table.
DERIVED: Mapping[str, str] = {"iscsi": "cinder_iscsi", "nvmet_tcp": "cinder_nvme"}
_IN_NAME = re.compile(r"iscsi|nvme|lightos|fc(?![a-z])|fibre|solidfire|storpool|drbd|powerflex|spdk", re.I)


def can_be_clustered(backend: Backend) -> bool:
    """Whether several hosts may manage the back end's volumes at once."""
    if backend.get("type") == "driver":
        return bool(_ACTIVE_ACTIVE.fullmatch(str(backend.get("driver", ""))))
    return backend.get("type") == "rbd"


def connects_by_kernel(backend: Backend) -> bool:
    """Whether the kernel connects its volumes to a host (iSCSI, Fibre Channel, NVMe), which no container can."""
    if backend.get("type") == "driver":
        said = _said(backend)
        if said:
            return said in _KERNEL
        return bool(_IN_NAME.search(str(backend.get("driver", ""))))
    return backend.get("type") == "lvm"


def is_mounted(backend: Backend) -> bool:
    """Whether the kernel mounts a file system for its volumes, which no container can either."""
    if backend.get("type") == "driver":
        said = _said(backend)
        return said == "nfs" if said else bool(re.search("nfs", str(backend.get("driver", "")), re.I))
    return backend.get("type") == "nfs"


def _said(backend: Backend) -> str:
    """How a driver connects, as its back end says: by ``protocol``, or by an option such as netapp_storage_protocol."""
    options = (value for name, value in (backend.get("options") or {}).items() if name.endswith("_storage_protocol"))
    return str(backend.get("protocol") or next(options, "")).lower()


def derived_groups(variables: Mapping[str, Any], groups: Iterable[str]) -> frozenset[str]:
    """The groups of ``DERIVED`` in which a host is: nobody lists them, they follow from its back ends."""
    if "cinder_volume" not in groups:
        return frozenset()
    listed = [entry for entry in variables.get("cinder_backends") or () if isinstance(entry, Mapping)]
    return frozenset(DERIVED[protocol(entry)] for entry in listed if entry.get("type") == "lvm")


def protocol(backend: Backend) -> str:
    """How consumers reach the volumes of a volume group."""
    return "nvmet_tcp" if backend.get("protocol") == "nvmet_tcp" else "iscsi"


def volume_groups(host: Host) -> list[dict[str, Any]]:
    """``{name, devices, thin, wipe, adopt}`` of each volume group of a host, once."""
    found: dict[str, dict[str, Any]] = {}
    listed = host.variables.get("cinder_backends") or () if "cinder_volume" in host.groups else ()
    for backend in listed:
        if backend["type"] != "lvm":
            continue
        name = backend["volume_group"]
        group = found.setdefault(
            name, {"name": name, "devices": [], "thin": backend.get("thin", True), "wipe": [], "adopt": None}
        )
        for key in ("devices", "wipe"):
            group[key] += [device for device in backend.get(key) or () if device not in group[key]]
        group["adopt"] = group["adopt"] or backend.get("adopt")
    return list(found.values())


def protocols(host: Host) -> frozenset[str]:
    """By which protocols a host serves volumes of its volume groups."""
    listed = host.variables.get("cinder_backends") or () if "cinder_volume" in host.groups else ()
    return frozenset(protocol(backend) for backend in listed if backend["type"] == "lvm")


def attaches_by_kernel(model: Model, host: Host) -> bool:
    """Whether a host may have to connect volumes by its kernel: for instances, for copies of its own, for backups."""
    if host.is_container:
        return False
    if "nova_compute" in host.groups:
        return True
    here = [backend for other, backend in backends(model) if "cinder_backup" in host.groups or other is host]
    return any(connects_by_kernel(backend) for backend in here)


def is_clustered(model: Model, backend: Backend) -> bool:
    """Whether the back end's hosts form a cluster: where there is a lock manager and the driver can."""
    return bool(model.group("etcd")) and (backend["type"] == "rbd" or bool(backend.get("cluster")))


def backends(model: Model) -> Iterator[tuple[Host, Backend]]:
    """Each back end of each host that manages some."""
    for host in model.group("cinder_volume"):
        for backend in host.variables.get("cinder_backends") or ():
            yield host, backend


def services(model: Model) -> list[str]:
    """The names under which cinder-volume enters itself: ``host@back end``, sorted."""
    return sorted(f"{host.name}@{backend['name']}" for host, backend in backends(model))


def clusters(model: Model) -> list[str]:
    """The names of clusters as volumes carry them: ``cluster@back end``, sorted."""
    return sorted(
        {
            f"{backend.get('cluster') or model.deployment}@{backend['name']}"
            for _, backend in backends(model)
            if is_clustered(model, backend)
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
