# SPDX-License-Identifier: Apache-2.0
"""Identity: what a host should have of each kind. See ``subject.Wants``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..description.services import Services
from ..model import Host, Model
from .kinds import catalog as catalog_kind
from .kinds import fernet_repository as fernet_repository_kind

SERVICE_PROJECT = "service"


def catalog(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The objects of every deployed service, on the first identity host. See the module for the form."""
    if model.group("keystone")[:1] != (host,):
        return {}
    region = model.variables["holdfast_region"]
    wanted: dict[str, Any] = {name: [] for name in (*catalog_kind.COLLECTIONS, "assignments")}
    wanted["regions"].append({"name": region})
    wanted["projects"].append({"name": SERVICE_PROJECT, "description": "Accounts of the services"})
    # Nobody guesses what Holdfast made, and who could lock these accounts could stop the cloud.
    wanted["users"].append({"name": "admin", "lockable": False})
    roles: dict[str, None] = {}
    for description, entry in services.entries("identity"):
        wanted["domains"] += entry.get("domains", ())
        roles.update(dict.fromkeys(entry.get("roles", ())))
        for user in entry.get("users", ()):
            _add_user(wanted, roles, user, secrets)
        for service in entry.get("services", ()):
            plain = {name: value for name, value in service.items() if name != "endpoint"}
            wanted["services"].append(plain)
            if endpoint := service.get("endpoint"):
                url = services.evaluate(description, f"{{{{ url('{endpoint['flow']}') }}}}", host)
                _add_endpoint(wanted, plain, endpoint.get("region") or region, url + endpoint.get("path", ""))
    _add_sites(wanted, roles, model, secrets)
    wanted["roles"] = [{"name": role} for role in roles]
    return {**wanted, "credentials": catalog_kind.CREDENTIALS}


def _add_user(
    wanted: dict[str, Any], roles: dict[str, None], user: Mapping[str, Any], secrets: Mapping[str, str]
) -> None:
    """An account of a service, with its roles: in the project of the services, or all over a domain of its own."""
    own = {"domain": user["domain"]} if "domain" in user else {}
    password = secrets[f"{user['name']}_identity_password"]
    wanted["users"].append({"name": user["name"], **own, "password": password, "lockable": False})
    for role in user.get("roles", ()):
        roles[role] = None
        holds = {"user_domain": user["domain"], **own} if own else {"project": SERVICE_PROJECT}
        wanted["assignments"].append({"user": user["name"], "role": role, **holds})


def _add_endpoint(wanted: dict[str, Any], service: Mapping[str, Any], region: str, url: str) -> None:
    """One place of a service for all that ask."""
    if {"name": region} not in wanted["regions"]:
        wanted["regions"].append({"name": region})
    wanted["endpoints"] += [
        {"type": service["type"], "service": service["name"], "region": region, "interface": interface, "url": url}
        for interface in catalog_kind.INTERFACES
    ]


def _add_sites(wanted: dict[str, Any], roles: dict[str, None], model: Model, secrets: Mapping[str, str]) -> None:
    """What the site's own variables name: domains, projects, roles and users."""
    wanted["domains"] += model.variables.get("keystone_domains") or ()
    wanted["projects"] += model.variables.get("keystone_projects") or ()
    roles.update(dict.fromkeys(model.variables.get("keystone_roles") or ()))
    for user in model.variables.get("keystone_users") or ():
        entry = {name: user[name] for name in ("name", "domain", "description", "enabled", "email") if name in user}
        wanted["users"].append({**entry, "password": secrets[user["secret"]]})
        for given in user.get("roles") or ():
            assigned = {"user": user["name"], "user_domain": user.get("domain") or catalog_kind.DEFAULT_DOMAIN, **given}
            wanted["assignments"].append(assigned)


REPOSITORIES = {
    "/etc/keystone/fernet-keys": "keystone_fernet_keys",
    "/etc/keystone/credential-keys": "keystone_credential_keys",
}


def fernet_repository(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{repositories: [{path, group, keys: {number: key}}]}`` on the identity hosts."""
    if "keystone" not in host.groups:
        return {}
    return {
        "repositories": [
            {"path": path, "group": fernet_repository_kind.GROUP, "keys": json.loads(secrets[name])["keys"]}
            for path, name in REPOSITORIES.items()
        ]
    }
