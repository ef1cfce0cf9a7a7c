# SPDX-License-Identifier: Apache-2.0
"""Rules about the options that an entry of back ends has of its own: the driver's, in one line each, and no secrets.

A service's own rules call these for each of its entries, with the codes of their service.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ...backend import Backends, secret_options
from ...config import FORMATS, holds_secret
from ...errors import Finding
from ..draft import Draft, DraftHost
from ..schema import KeyPath, shown


def problems(
    draft: Draft, host: DraftHost, index: int, entry: Mapping[str, Any], of: Backends, repeats: Collection[str] = ()
) -> Iterator[Finding]:
    """What is wrong with ``options`` and with the names in ``secret_options``.

    ``repeats`` are places of options of which each value has a line of its own, as ``*.NAME``.
    """
    path: KeyPath = (of.variable, index)
    written = dict(of.made_from)
    if kind := of.types.get(str(entry.get("type"))):
        written |= kind.made_from
    for option in entry.get("secret_options") or {}:
        if option in written or option in (entry.get("options") or {}):
            yield draft.error(
                f"{of.service}.option",
                (*path, "secret_options", option),
                f"names an option that {'the key ' + written[option] if option in written else '`options`'} says.",
                "Take it out of one of them.",
                host,
            )
    for option, value in (entry.get("options") or {}).items():
        where = (*path, "options", option)
        if (spelt := option.lower().replace("-", "_")) in written:
            yield draft.error(
                f"{of.service}.option",
                where,
                f"is {shown(value, where)}, and Holdfast writes it from the key {written[spelt]}.",
                f"Take it out, and say it by {written[spelt]}.",
                host,
            )
        elif holds_secret(option, value):
            yield draft.error(
                f"{of.service}.option-secret",
                where,
                "is (a secret, not shown), in a file that is not for secrets.",
                f"Put it into the vault file, and name it: secret_options: {{{option}: NAME}}.",
                host,
            )
        why = _unreadable(value, repeats=f"*.{option}" in repeats)
        if spelt not in written and not re.fullmatch(r"[a-z][a-z0-9_.]*", option):
            why = f"has a name that {of.service} does not read: options have small letters and underscores"
        if why:
            yield draft.error(
                f"{of.service}.option",
                where,
                f"{why}.",
                "Write the name of the option and a value in one line, without that.",
                host,
            )


def secret_problems(
    draft: Draft, host: DraftHost, index: int, entry: Mapping[str, Any], of: Backends
) -> Iterator[Finding]:
    """The secrets that the entry names are there, and the service can read them."""
    for option, secret in secret_options(entry):
        where = (of.variable, index, "secret_options", option)
        if secret not in draft.secrets:
            yield draft.error(
                f"{of.service}.secret-missing",
                where,
                f"is {secret!r}, and there is no such secret: Holdfast can not make up what another device knows.",
                "Enter it under holdfast_secrets with `ansible-vault edit`.",
                host,
            )
        elif str(draft.secrets[secret]).isprintable() and (why := _unreadable(draft.secrets[secret])):
            # What can not be printed is weak in itself.
            yield draft.error(
                f"{of.service}.secret-unreadable",
                where,
                f"is {secret!r}, which {why}.",
                "Give the device another password, and enter it.",
                host,
            )


def _unreadable(value: Any, *, repeats: bool = False) -> str:
    """Why a service would not read a value as it is; empty when it does. ``repeats``: of a list each by itself."""
    try:
        for each in value if repeats and isinstance(value, list) else [value]:
            FORMATS["oslo"].value(each)
    except ValueError as reason:
        return str(reason)
    return ""
