# SPDX-License-Identifier: Apache-2.0
"""Identity: what expressions of service descriptions may ask. See ``description.expressions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..description.expressions import CA_BUNDLE, View
from . import tokens


def names(view: View) -> Mapping[str, Any]:
    """How a service signs in."""

    def keystone_auth(name: str) -> dict[str, Any]:
        """How a service signs in: options as in the section keystone_authtoken."""
        return {
            "www_authenticate_uri": view.url("keystone"),
            "auth_url": view.url("keystone"),
            "auth_type": "password",
            "username": name,
            "password": view.secret(f"{name}_identity_password"),
            "user_domain_name": "Default",
            "project_name": "service",
            "project_domain_name": "Default",
            "region_name": view.model.variables["holdfast_region"],
            "cafile": CA_BUNDLE,
        }

    def keystone_client(name: str) -> dict[str, Any]:
        """How a service signs in to ask others: options of a section of their own."""
        return {option: value for option, value in keystone_auth(name).items() if option != "www_authenticate_uri"}

    def keystone_admin() -> dict[str, Any]:
        """How the administrator signs in: what kinds on a host need that speak to an API."""
        return {
            "auth_url": f"{view.url('keystone')}/v3",
            "username": "admin",
            "password": view.secret("keystone_admin_password"),
            "user_domain_name": "Default",
            "project_name": "admin",
            "project_domain_name": "Default",
            "cafile": CA_BUNDLE,
        }

    def expired_token_window() -> int:
        """For how many seconds a service may use a token that is over."""
        return tokens.window(view.host.variables)

    return {
        "keystone_auth": keystone_auth,
        "keystone_client": keystone_client,
        "keystone_admin": keystone_admin,
        "expired_token_window": expired_token_window,
    }
