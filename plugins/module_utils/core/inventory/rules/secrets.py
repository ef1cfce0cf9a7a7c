# SPDX-License-Identifier: Apache-2.0
"""Rules about secrets: strong, each used once, known, and encrypted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import Finding
from .. import secrets
from ..draft import Draft, place, rule
from ..schema import did_you_mean

VARIABLE = "holdfast_secrets"


@rule
def strength(draft: Draft) -> Iterator[Finding]:
    """Secrets can not be guessed, and fit where they are written."""
    named = draft.domain.named_secrets(draft)
    forms = {name: form for name in draft.secrets if (form := draft.domain.secret_family(name))}
    forms |= {name: form or secrets.ELSEWHERE for name, form in named.items()}
    forms |= draft.known_secrets
    for name, weakness in secrets.weaknesses(draft.secrets, forms).items():
        remedy = forms.get(name, secrets.TEXT).remedy
        yield draft.error("secrets.weak", (VARIABLE, name), f"{weakness}.", remedy)


@rule
def once(draft: Draft) -> Iterator[Finding]:
    """Secrets differ from each other."""
    first: dict[str, str] = {}
    elsewhere = {name for name, form in draft.domain.named_secrets(draft).items() if form is None}
    for name, value in sorted(draft.secrets.items()):
        if isinstance(value, str) and value and first.setdefault(value, name) != name:
            yield draft.error(
                "secrets.twice",
                (VARIABLE, name),
                f"is the same as {first[value]}: who learns one has both.",
                f"Let what has {first[value]} and {name} name one secret, or give one of the devices another."
                if {name, first[value]} <= elsewhere
                else "Take one of them out of the vault file: Holdfast makes another.",
            )


@rule
def purposes(draft: Draft) -> Iterator[Finding]:
    """A secret of one purpose is used for no other: who learns it where it serves one has the other."""
    purposes = dict.fromkeys(draft.domain.listed("former_secrets"), "a secret that a service had")
    purposes |= dict.fromkeys((*draft.required_secrets, *draft.known_secrets), "a secret of a service")
    marked = {form.called: form for form in draft.known_secrets.values() if form.called}
    for named in draft.domain.names_of_secrets(draft):
        family = draft.domain.secret_family(named.name) if named.path else None
        first = purposes.setdefault(named.name, f"the name of {family.called}" if family else named.purpose)
        if not named.path:
            continue  # Whose names follow from others tells by itself which are one.
        if first != named.purpose:
            yield draft.error(
                "secrets.purpose",
                named.path,
                f"is {named.name!r}, which is {first}: it is not for {named.purpose} as well.",
                "Name a secret of its own, such as site_<name>_password.",
                named.host,
            )
            continue
        if named.form and (what := _is_something_else(named.name, named.form, draft.secrets.get(named.name), marked)):
            yield draft.error(
                "secrets.purpose",
                named.path,
                f"is {named.name!r}, {what}: it is not for {named.purpose}.",
                "Name another secret; Holdfast makes a password where there is none of that name.",
                named.host,
            )


def _is_something_else(name: str, form: secrets.Form, value: Any, marked: Mapping[str, secrets.Form]) -> str:
    """Why a secret is none of its form, by its value, or by a name under which none is made; empty if it may be."""
    if isinstance(value, str) and value:
        return next(
            (
                f"whose value {'is' if text == value else 'holds'} {called}"
                for called, other in marked.items()
                for text in (value, *value.split())
                if other is not form and not other.weakness(name, text)
            ),
            "",
        )
    return "the name of a key" if form.misleading and form.misleading.search(name) else ""


@rule
def known(draft: Draft) -> Iterator[Finding]:
    """A secret whose name nothing uses is a misspelt one: the right one would be made anew."""
    names = {*draft.required_secrets, *draft.known_secrets, *draft.domain.named_secrets(draft)}
    if not draft.required_secrets:
        return
    for name in sorted(set(draft.secrets) - names - set(draft.domain.listed("former_secrets"))):
        if draft.domain.secret_family(name):
            continue  # A part of the name is the site's.
        hint = did_you_mean(name, names)
        yield draft.error(
            "secrets.unknown",
            (VARIABLE, name),
            "is a secret that nothing uses.",
            f"{hint}Rename it, or take it out of the vault file.",
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
