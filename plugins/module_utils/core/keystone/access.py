# SPDX-License-Identifier: Apache-2.0
"""How a client finds the deployment's APIs, as its administrator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import flows
from ..model import Model

PASSWORD = "keystone_admin_password"  # noqa: S105 - the secret's name


def cloud(model: Model, secrets: Mapping[str, str], cafile: str) -> dict[str, Any]:
    """The entry of clouds.yaml. ``cafile`` has the certificates of the authorities that it trusts."""
    place = model.variables.get("haproxy_name") or flows.balancer_address(model)
    return {
        "auth": {
            "auth_url": f"https://{place}:{flows.port('keystone')}/v3",
            "username": "admin",
            "password": secrets[PASSWORD],
            "project_name": "admin",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": str(model.variables["holdfast_region"]),
        "cacert": cafile,
        "identity_api_version": "3",
    }


def environment(cloud: Mapping[str, Any]) -> dict[str, str]:
    """The same as variables of the environment."""
    return {
        **{f"OS_{name.upper()}": str(value) for name, value in cloud["auth"].items()},
        **{f"OS_{name.upper()}": str(value) for name, value in cloud.items() if name != "auth"},
        "OS_AUTH_TYPE": "password",
    }
