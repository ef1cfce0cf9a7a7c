# SPDX-License-Identifier: Apache-2.0
"""Instances: what a host should have of each kind. See ``subject.Wants``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..description.services import Services
from ..model import Host, Model, host_uuid
from ..nfs import shares
from . import storage
from .expressions import is_hypervisor
from .kinds import flavor as flavor_kind

CELL = "cell1"


def _is_first(model: Model, host: Host) -> bool:
    return model.group("nova_api")[:1] == (host,)


def nova_cell(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{cells: [{name, transport_url, database_connection}]}`` on the first host of the compute API."""
    if not _is_first(model, host):
        return {}
    members = len(model.group("rabbitmq"))
    numbers = [""] if members == 1 else [str(number + 1) for number in range(members)]
    queue = ",".join(f"{{username{n}}}:{{password{n}}}@{{hostname{n}}}:{{port{n}}}" for n in numbers)
    database = "{scheme}://{username}:{password}@{hostname}:{port}"
    return {
        "cells": [
            {
                "name": "cell0",
                "transport_url": "none:///",
                "database_connection": f"{database}/nova_cell0?{{query}}",
            },
            {
                "name": CELL,
                "transport_url": f"{{scheme}}://{queue}/{{path}}",
                "database_connection": f"{database}/{{path}}?{{query}}",
            },
        ]
    }


def compute_node(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{host, id, instances, share, virt_type, cpu_mode, flavors}`` of a compute host."""
    if not is_hypervisor(model, host):
        return {}
    variables = host.variables
    on_share = storage.chosen(variables, model.variables) == storage.NFS
    given = model.variables.get("attach_instances_nfs")
    return {
        "host": host.name,
        "id": host_uuid(model, host),
        "instances": model.variables["attach_instances_path"],
        "share": shares.source(model, given) if on_share and given else "",
        "virt_type": variables["nova_virt_type"],
        "cpu_mode": variables["nova_cpu_mode"],
        "flavors": [
            {name: entry[name] for name in ("name", "vcpus", "memory_mb")}
            for entry in model.variables.get("nova_flavors") or ()
            if model.group("nova_compute")[:1] == (host,)
        ],
    }


def flavor(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The flavors, aggregates and quotas of the model, and its compute hosts, on the first host of the compute API."""
    if not _is_first(model, host):
        return {}
    variables = model.variables
    return {
        "credentials": flavor_kind.CREDENTIALS,
        "flavors": [dict(entry) for entry in variables.get("nova_flavors") or ()],
        "aggregates": [dict(entry) for entry in variables.get("nova_aggregates") or ()],
        "quotas": dict(variables.get("nova_quotas") or {}),
        "hosts": [member.name for member in model.group("nova_compute")],
    }
