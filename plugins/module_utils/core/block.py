# SPDX-License-Identifier: Apache-2.0
"""What is known of the volume service's back ends: how they connect, which may be active on several hosts at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .model import Host, Model

Backend = Mapping[str, Any]

# The drivers of cinder 26 that say so themselves (SUPPORTS_ACTIVE_ACTIVE), by module or class below
# cinder.volume.drivers. What is derived from them in the same module can too.
_ACTIVE_ACTIVE = re.compile(
    r"(?:cinder\.volume\.drivers\.)?(?:"
    r"rbd\.RBDDriver|ceph\.rbd_iscsi\.\w+|lightos\.\w+|dell_emc\.powermax\.(?:iscsi|fc)\.\w+"
    r"|dell_emc\.powerstore\.driver\.\w+|dell_emc\.powerflex\.driver\.\w+|pure\.\w+|yadro\.tatlin_(?:iscsi|fc)\.\w+"
    r"|solidfire\.\w+|netapp\.dataontap\.(?:iscsi|nfs|fc)_cmode\.\w+|netapp\.common\.NetAppDriver)"
)
_KERNEL = frozenset({"iscsi", "fc", "nvme"})
_IN_NAME = re.compile(r"iscsi|nvme|lightos|fc(?![a-z])|fibre", re.I)


def can_be_clustered(backend: Backend) -> bool:
    """Whether several hosts may manage the back end's volumes at once."""
    if backend.get("type") == "driver":
        return bool(_ACTIVE_ACTIVE.fullmatch(str(backend.get("driver", ""))))
    return backend.get("type") == "rbd"


def connects_by_kernel(backend: Backend) -> bool:
    """Whether the kernel connects its volumes to a host (iSCSI, Fibre Channel, NVMe), which no container can."""
    if backend.get("type") == "driver":
        protocol = backend.get("protocol")
        if protocol:
            return protocol in _KERNEL
        return bool(_IN_NAME.search(str(backend.get("driver", ""))))
    return backend.get("type") == "lvm"


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
