# SPDX-License-Identifier: Apache-2.0
"""Rules about secrets: strong, each used once, encrypted, and those that no one can make again are there."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import Finding
from .. import secrets
from ..draft import Draft, entries, place, rule
from ..schema import did_you_mean

VARIABLE = "holdfast_secrets"

# Without them data that is stored already can not be found or read.
_IRREPLACEABLE = ("swift_hash_path_prefix", "swift_hash_path_suffix", "swift_encryption_root_secret")


@rule
def strength(draft: Draft) -> Iterator[Finding]:
    """Secrets can not be guessed, and fit where they are written."""
    for name, weakness in secrets.weaknesses(draft.secrets, draft.known_secrets).items():
        yield draft.error(
            "secrets.weak",
            (VARIABLE, name),
            f"{weakness}.",
            "Take it out of the vault file: Holdfast makes a strong one. Or give 32 random letters and digits.",
        )


@rule
def once(draft: Draft) -> Iterator[Finding]:
    """Secrets differ from each other."""
    first: dict[str, str] = {}
    for name, value in sorted(draft.secrets.items()):
        if isinstance(value, str) and value and first.setdefault(value, name) != name:
            yield draft.error(
                "secrets.twice",
                (VARIABLE, name),
                f"is the same as {first[value]}: who learns one has both.",
                "Take one of them out of the vault file: Holdfast makes another.",
            )


@rule
def known(draft: Draft) -> Iterator[Finding]:
    """A secret whose name nothing uses is a misspelt one: the right one would be made anew."""
    users = {user["secret"] for _, user in entries(draft.variables.get("keystone_users")) if "secret" in user}
    devices = {
        secret
        for host in draft.group("cinder_volume")
        for _, backend in entries(host.variables.get("cinder_backends"))
        for secret in (backend.get("secret_options") or {}).values()
    }
    names = {*draft.required_secrets, *draft.known_secrets, *users, *devices}
    if not draft.required_secrets:
        return
    for name in sorted(set(draft.secrets) - names):
        if name.startswith("ceph_client_") and name.endswith("_key"):
            continue  # The names of clients are the site's.
        hint = did_you_mean(name, names)
        yield draft.error(
            "secrets.unknown",
            (VARIABLE, name),
            "is a secret that nothing uses.",
            f"{hint}Rename it, or take it out of the vault file.",
        )


@rule
def irreplaceable(draft: Draft) -> Iterator[Finding]:
    """A new one would make stored data unreachable, so it is made only together with the others of its service."""
    if not any(name.startswith("swift_") for name in draft.secrets):
        return
    for name in _IRREPLACEABLE:
        if name in draft.required_secrets and name not in draft.secrets:
            yield draft.error(
                "secrets.lost",
                (VARIABLE, name),
                "is missing, and other secrets of Swift are there: with a new one, stored objects are not found again.",
                "Put back the value from a backup of the vault file or from /etc/swift/swift.conf of a storage host.",
            )


@rule
def encrypted(draft: Draft) -> Iterator[Finding]:
    """Secrets are encrypted wherever they stand."""
    for location, what in draft.plain_secrets.items():
        yield Finding(
            "error",
            "secrets.plain",
            place(location, None, (VARIABLE,)),
            what,
            "Encrypt it with `ansible-vault encrypt`, and change the secrets if others could read them.",
        )
