# SPDX-License-Identifier: Apache-2.0
"""Volumes: what a host should have of each kind. See ``subject.Wants``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base.kinds import volume_group as volume_group_kind
from ..description.services import Services
from ..model import Host, Model
from . import backends
from .kinds import volume_type as volume_type_kind


def driver_option(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{backends: [{name, options: [name]}], package, namespace}`` of the host's back ends that are given options."""
    if "cinder_volume" not in host.groups:
        return {}
    found = [
        {"name": backend["name"], "options": names}
        for backend in host.variables.get("cinder_backends") or ()
        if (names := sorted({*(backend.get("options") or ()), *(backend.get("secret_options") or ())}))
    ]
    return {"backends": found, "package": "cinder-common", "namespace": "cinder"} if found else {}


def volume_group(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{groups: [{name, tag, devices, thin, wipe, adopt}], confined}`` for hosts that keep or attach volumes."""
    tag = volume_group_kind.tag(model.deployment, host.name)
    groups = [{**group, "tag": tag} for group in backends.volume_groups(host)]
    attaches = backends.attaches_by_kernel(services.backends.get("cinder"), model, host)
    return {"groups": groups, "confined": True} if groups or attaches else {}


BACKEND_NAME = "volume_backend_name"


def volume_type(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The types, limits and quotas of the model, on the first host of the volume API."""
    if model.group("cinder_api")[:1] != (host,):
        return {}
    quotas = dict(model.variables.get("cinder_quotas") or {})
    types, limits = [], []
    for entry in backends.volume_types(model):
        specs = {BACKEND_NAME: entry["backend"]} if entry["backend"] else {}
        qos = entry.get("qos")
        types.append(
            {
                "name": entry["name"],
                "description": entry.get("description") or "",
                "public": entry.get("public", True),
                "extra_specs": {**specs, **(entry.get("extra_specs") or {})},
                "qos": entry["name"] if qos else "",
            }
        )
        if qos:
            values = {name: str(value) for name, value in qos["specs"].items()}
            limits.append({"name": entry["name"], "consumer": qos.get("consumer", "front-end"), "specs": values})
        quotas |= {f"{name}_{entry['name']}": value for name, value in (entry.get("quotas") or {}).items()}
    return {
        "credentials": volume_type_kind.CREDENTIALS,
        "volume_types": types,
        "qos_specs": limits,
        "quotas": quotas,
        "backends": backends.services(model),
        "clusters": backends.clusters(services.backends["cinder"], model),
    }
