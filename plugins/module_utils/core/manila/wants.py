# SPDX-License-Identifier: Apache-2.0
"""Shared file systems: what a host should have of each kind. See ``subject.Wants``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base.kinds import volume_group as volume_group_kind
from ..description.services import Services
from ..model import Host, Model
from . import backends, reserved
from .kinds import share_type as share_type_kind


def volume_group(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{groups: [{name, tag, devices, thin, wipe, adopt}], confined}`` for hosts that keep shares."""
    tag = volume_group_kind.tag(model.deployment, host.name)
    groups = [{**group, "tag": tag} for group in backends.volume_groups(host)]
    return {"groups": groups, "confined": True} if groups else {}


def ceph_cluster(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{keys}``: names that nobody may get."""
    return reserved.keys(model, host, services, secrets)


def share_type(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The share types, types of groups and quotas of the model, on the first host of the API."""
    if model.group("manila_api")[:1] != (host,):
        return {}
    types = [
        {
            "name": entry["name"],
            "description": entry.get("description") or "",
            "public": entry.get("public", True),
            "extra_specs": entry["extra_specs"],
        }
        for entry in backends.share_types(services.backends["manila"], model)
    ]
    groups = [
        {
            "name": entry["name"],
            "share_types": list(entry["share_types"]),
            "public": entry.get("public", True),
            "group_specs": {name: str(value) for name, value in (entry.get("group_specs") or {}).items()},
        }
        for entry in model.variables.get("manila_share_group_types") or ()
    ]
    return {
        "credentials": share_type_kind.CREDENTIALS,
        "share_types": types,
        "share_group_types": groups,
        "quotas": dict(model.variables.get("manila_quotas") or {}),
        "backends": backends.services(model),
    }
