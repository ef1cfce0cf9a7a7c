# SPDX-License-Identifier: Apache-2.0
"""Instances: what expressions of service descriptions may ask. See ``description.expressions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ceph.expressions import secret_uuid
from ..cinder import backends
from ..description.expressions import View
from ..description.load import backends_of
from ..model import Host, Model
from . import secrets, storage

CONTROL = frozenset({"nova_api", "nova_scheduler", "nova_conductor", "nova_console"})


def is_hypervisor(model: Model, host: Host) -> bool:
    """Whether this deployment's compute service runs instances on the host."""
    return "nova_compute" in host.groups and bool(model.group(*CONTROL))


def names(view: View) -> Mapping[str, Any]:
    """What the host is for instances."""
    return {
        "hypervisor": lambda: is_hypervisor(view.model, view.host),
        "nova_controls": lambda: not CONTROL.isdisjoint(view.host.groups),
        "ephemeral_storage": lambda: storage.chosen(view.host.variables, view.model.variables),
        "nova_libvirt": lambda: libvirt_section(view),
        "ssh_public_key": lambda secret: secrets.public_key(view.secret(secret)),
    }


def libvirt_section(view: View) -> dict[str, Any]:
    """Options of the section libvirt of nova.conf; none where the host has no instances.

    What kind of processor a guest has, the environment of nova-compute says on a host that emulates it.
    """
    if not is_hypervisor(view.model, view.host):
        return {}
    variables = view.host.variables
    by_kernel = backends.attaches_by_kernel(backends_of(view.deployed).get("cinder"), view.model, view.host)
    found = {
        "cpu_mode": variables["nova_cpu_mode"],
        "cpu_models": list(variables["nova_cpu_models"]) or None,
        "cpu_model_extra_flags": list(variables["nova_cpu_flags"]) or None,
        "live_migration_inbound_addr": view.address("storage"),
        "live_migration_scheme": "tls",
        "live_migration_with_native_tls": True,
        "nfs_mount_options": view.model.variables["nfs_mount_options"],
        "volume_use_multipath": bool(by_kernel and variables["attach_multipath"]),
    }
    if storage.chosen(variables, view.model.variables) == storage.RBD:
        user = view.model.variables["nova_ceph_user"]
        found |= {
            "disk_cachemodes": "network=writeback",
            "hw_disk_discard": "unmap",
            "images_rbd_ceph_conf": "/etc/ceph/ceph.conf",
            "images_rbd_pool": variables["nova_rbd_pool"],
            "images_type": "rbd",
            "rbd_secret_uuid": secret_uuid(view.model.deployment, user),
            "rbd_user": user,
        }
    return {name: found[name] for name in sorted(found)}
