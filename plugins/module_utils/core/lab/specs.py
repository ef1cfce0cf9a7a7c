# SPDX-License-Identifier: Apache-2.0
"""From an inventory's variables to what the lab's modules are told."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import HoldfastError


def specs(hosts: Iterable[Mapping[str, Any]], layers: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Each host's variables as an entry of lab_host's ``hosts``. ``layers`` is what lab_image returned.

    Raises HoldfastError for a host that has no address or no NIC.
    """
    return [_spec(host, layers) for host in hosts]


def packages(descriptions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Packages that service descriptions name, without those that an expression chooses."""
    names = {
        name
        for description in descriptions
        for component in description.get("components", ())
        for name in component.get("packages", ())
    }
    return sorted(name for name in names if "{{" not in name)


def images(entries: Iterable[Mapping[str, Any]], guest: Mapping[str, str]) -> list[dict[str, Any]]:
    """Entries of ``lab_images`` as lab_cloud's ``images``. ``guest`` has the files of the lab's guest, by format."""
    formed = ({"format": "raw", **entry} for entry in entries)
    return [{"file": guest.get(entry["format"], ""), **entry} for entry in formed]


def _spec(host: Mapping[str, Any], layers: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    name = str(host["inventory_hostname"])
    for key in ("ansible_host", "lab_nics", "networks_bridges"):
        if not host.get(key):
            raise HoldfastError(f"{name}: {key}: a host of a lab needs it. Fix: set it in the lab's inventory.")
    mgmt = host["networks_bridges"]["mgmt"]
    kind = str(host.get("lab_kind", "container"))
    prefix_length = ipaddress.ip_network(mgmt["cidr"]).prefixlen
    return {
        "name": name,
        "kind": kind,
        "memory": str(host.get("lab_memory", "2G")),
        "cpus": int(host.get("lab_cpus", 1)),
        "address": f"{host['ansible_host']}/{prefix_length}",
        "gateway": str(mgmt.get("gateway", "")),
        "nics": {str(nic): str(switch) for nic, switch in host["lab_nics"].items()},
        "disks": {str(disk): str(size) for disk, size in (host.get("lab_disks") or {}).items()},
        "devices": [str(device) for device in host.get("lab_devices") or ()],
        "layers": [*(layers["kernel"] if kind == "vm" else ()), *layers[host.get("lab_image_layer", "packages")]],
    }
