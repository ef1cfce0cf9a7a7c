# SPDX-License-Identifier: Apache-2.0
"""Rules about the site's domains, projects, users and roles: nothing twice, and what is referred to is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Finding
from ..inventory.draft import Draft, DraftHost, entries, rule
from ..inventory.schema import KeyPath, did_you_mean
from ..inventory.secrets import PASSWORD, Named
from . import tokens

DOMAINS, PROJECTS, ROLES, USERS = "keystone_domains", "keystone_projects", "keystone_roles", "keystone_users"

# What keystone's bootstrap and Holdfast make anyway.
_OWN_DOMAINS = ("Default",)
_OWN_PROJECTS = (("Default", "admin"), ("Default", "service"))
_ADMIN = "admin"
_OWN_ROLES = ("admin", "manager", "member", "reader", "service", "ResellerAdmin")


@rule
def nothing_twice(draft: Draft) -> Iterator[Finding]:
    """Nothing that keystone would take for the same is listed twice."""
    users = [(domain or _OWN_DOMAINS[0], name) for domain, name in (("", _ADMIN), *draft.domain.users)]
    domains = (*_OWN_DOMAINS, *(name for service in draft.domain.services for name in _domains(service)))
    own: Mapping[str, Any] = {DOMAINS: domains, PROJECTS: (), USERS: users}
    for variable, existing in own.items():
        seen = {_folded(name): "what is there anyway" for name in existing}
        for index, entry in entries(draft.variables.get(variable)):
            if "name" not in entry:
                continue
            key = entry["name"] if variable == DOMAINS else (entry.get("domain", "Default"), entry["name"])
            first = seen.setdefault(_folded(key), f"{variable}[{index}]")
            if first != f"{variable}[{index}]":
                yield draft.error(
                    "keystone.twice",
                    (variable, index, "name"),
                    f"is {entry['name']!r}, as in {first}: keystone compares names without case.",
                    "Give each a name of its own.",
                )
    roles = {_folded(name): "there anyway" for name in _OWN_ROLES}
    for index, name in enumerate(draft.variables.get(ROLES) or ()):
        if name and (first := roles.setdefault(_folded(name), f"as {ROLES}[{index}]")) != f"as {ROLES}[{index}]":
            yield draft.error("keystone.twice", (ROLES, index), f"{name!r} is {first}.", "Take it out.")


@rule
def needed(draft: Draft) -> Iterator[Finding]:
    """What the services themselves live in is not switched off."""
    own = {_folded(key) for key in _OWN_PROJECTS}
    for index, project in entries(draft.variables.get(PROJECTS)):
        key = (project.get("domain", "Default"), project.get("name", ""))
        if _folded(key) in own and project.get("enabled") is False:
            yield draft.error(
                "keystone.disabled",
                (PROJECTS, index, "enabled"),
                f"is false, and the services need the project {key[1]}.",
                "Leave it enabled.",
            )


@rule
def references(draft: Draft) -> Iterator[Finding]:
    """Domains, projects and roles that are referred to are there."""
    domains = [
        *_OWN_DOMAINS,
        *(name for service in draft.domain.services if _is_deployed(draft, service) for name in _domains(service)),
        *(entry["name"] for _, entry in entries(draft.variables.get(DOMAINS)) if "name" in entry),
    ]
    projects = [
        *_OWN_PROJECTS,
        *(
            (entry.get("domain", "Default"), entry["name"])
            for _, entry in entries(draft.variables.get(PROJECTS))
            if "name" in entry
        ),
    ]
    roles = [*_OWN_ROLES, *(name for name in draft.variables.get(ROLES) or () if name)]

    def known(path: KeyPath, kind: str, name: str, names: list[str], variable: str) -> Iterator[Finding]:
        if name not in names and not draft.was_refused((variable,)):
            hint = did_you_mean(name, names)
            yield draft.error(
                "keystone.unknown",
                path,
                f"is {name!r}, which is no {kind}.",
                f"{hint}Add it to {variable}, or use one of: {', '.join(names)}.",
            )

    for variable in (PROJECTS, USERS):
        for index, entry in entries(draft.variables.get(variable)):
            if "domain" in entry:
                yield from known((variable, index, "domain"), "domain", entry["domain"], domains, DOMAINS)
    for index, user in entries(draft.variables.get(USERS)):
        for place, grant in entries(user.get("roles")):
            path: KeyPath = (USERS, index, "roles", place)
            if "role" in grant:
                yield from known((*path, "role"), "role", grant["role"], roles, ROLES)
            if ("project" in grant) == ("domain" in grant) and not draft.was_refused(path):
                yield draft.error(
                    "keystone.grant",
                    path,
                    "has both project and domain." if "project" in grant else "has neither project nor domain.",
                    "Say in which project, or in which domain.",
                )
            if "domain" in grant:
                yield from known((*path, "domain"), "domain", grant["domain"], domains, DOMAINS)
            if "project" in grant:
                inside = [name for domain, name in projects if domain == grant.get("project_domain", "Default")]
                yield from known((*path, "project"), "project of that domain", grant["project"], inside, PROJECTS)


def secrets(inventory: Any) -> Iterator[Named]:
    """The passwords of the users of a ``Draft`` or ``Model``."""
    for index, user in entries(inventory.variables.get(USERS)):
        if "secret" in user:
            yield Named(user["secret"], f"the password of {USERS}[{index}]", PASSWORD, (USERS, index, "secret"))


@rule
def token_keys(draft: Draft) -> Iterator[Finding]:
    """A key is there as long as the tokens that it signed are good, and as services may use them after that."""
    known = tokens.kept(draft.variables)
    if known is None or not draft.group("keystone"):
        return
    hours, most = draft.variables[tokens.ROTATION], draft.variables[tokens.KEYS]
    for host, path, seconds, lived in _lifetimes(draft):
        if lived + seconds > known:
            after = f" after the {lived} that tokens are good" if lived else ""
            yield draft.error(
                "keystone.token-keys",
                path,
                f"is {seconds}{after}, and keys are rotated away sooner: {tokens.KEYS} {most} and {tokens.ROTATION} "
                f"{hours} keep one for {known} seconds after it signed, {most} - 2 times {hours} hours.",
                f"Lower it to {max(0, known - lived)}, raise {tokens.KEYS} to "
                f"{2 - -(lived + seconds) // (hours * 3600)}, or rotate less often.",
                host,
            )


def _lifetimes(draft: Draft) -> Iterator[tuple[DraftHost | None, KeyPath, int, int]]:
    """For how many seconds tokens are good or used, wherever it is said, and how old they are by then."""
    if tokens.LIFETIME in draft.variables:
        yield None, (tokens.LIFETIME,), draft.variables[tokens.LIFETIME], 0
    for host in draft.group("keystone"):
        for path, seconds in tokens.overridden(host.variables, "expiration"):
            yield host, path, seconds, 0
        for path, seconds in tokens.overridden(host.variables, "allow_expired_window"):
            yield host, path, seconds, tokens.lifetime({**draft.variables, **host.variables})


@rule
def long_enough(draft: Draft) -> Iterator[Finding]:
    """Users have passwords that the identity service takes."""
    least = draft.variables.get("keystone_password_length") or 0
    for index, user in entries(draft.variables.get(USERS)):
        password = draft.secrets.get(user.get("secret", ""))
        if isinstance(password, str) and len(password) < least and not PASSWORD.weakness(user["secret"], password):
            yield draft.error(
                "keystone.password-length",
                (USERS, index, "secret"),
                f"is {user['secret']!r}, of {len(password)} characters, and keystone_password_length is {least}.",
                f"Give it {least} characters or more in the vault file, or lower keystone_password_length.",
            )


def _domains(service: Mapping[str, Any]) -> list[str]:
    """The domains that a service has, by its description."""
    return [domain["name"] for domain in service.get("identity", {}).get("domains", ())]


def _is_deployed(draft: Draft, service: Mapping[str, Any]) -> bool:
    groups = service.get("deployed_by") or [group for part in service["components"] for group in part["group"]]
    return bool(draft.group(*groups))


def _folded(name: str | tuple[str, str]) -> Any:
    return name.casefold() if isinstance(name, str) else tuple(part.casefold() for part in name)
