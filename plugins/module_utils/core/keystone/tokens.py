# SPDX-License-Identifier: Apache-2.0
"""How long tokens are good, and how long keys are there that read them. All of it in seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..inventory.schema import KeyPath, leaves

LIFETIME = "keystone_token_expiration_seconds"
KEYS, ROTATION = "keystone_fernet_max_active_keys", "keystone_fernet_rotation_hours"
OVERRIDES = "keystone_conf_overrides"

# For how long services may use a token that is over, when keystone is not told.
_USUAL_WINDOW = 48 * 3600


def kept(variables: Mapping[str, Any]) -> int | None:
    """How long a key is there after it signed; None where that is not said.

    The staged key and the primary sign nothing that is older than a rotation.
    """
    hours, most = variables.get(ROTATION), variables.get(KEYS)
    return None if hours is None or most is None else (most - 2) * hours * 3600


def overridden(variables: Mapping[str, Any], option: str) -> Iterator[tuple[KeyPath, int]]:
    """An option of the section token that a host's overrides give, with its place, where it is a number."""
    for path, value in leaves((OVERRIDES,), variables.get(OVERRIDES) or {}):
        if path[1:] and str(path[1]).lower() == "token" and path[2:] == (option,) and str(value).isdecimal():
            yield path, int(str(value))


def lifetime(variables: Mapping[str, Any]) -> int:
    """How long a token is good on a host."""
    return next((seconds for _, seconds in overridden(variables, "expiration")), variables.get(LIFETIME) or 0)


def window(variables: Mapping[str, Any]) -> int:
    """For how long after that a service may use it for what its user began: as long as its key is sure to be there."""
    return max(0, min(_USUAL_WINDOW, (kept(variables) or 0) - lifetime(variables)))
