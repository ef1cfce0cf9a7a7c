# SPDX-License-Identifier: Apache-2.0
"""A service may use a token that is over as long as there is the key that reads it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone import tokens

DAY = 24 * 3600


@pytest.mark.parametrize(
    ("keys", "hours", "seconds", "overrides", "window"),
    [
        (3, 720, 3600, {}, 2 * DAY),
        (3, 24, 3600, {}, DAY - 3600),
        (3, 1, 3600, {}, 0),
        (3, 24, 3600, {"token": {"expiration": DAY}}, 0),
        (3, 24, 3600, {"TOKEN": {"expiration": "7200"}}, DAY - 7200),
        (4, 24, 3600, {"token": {"provider": "fernet"}}, 2 * DAY - 3600),
    ],
)
def test_the_window_ends_before_the_key_goes(
    keys: int, hours: int, seconds: int, overrides: dict[str, Any], window: int
) -> None:
    variables = {
        tokens.KEYS: keys,
        tokens.ROTATION: hours,
        tokens.LIFETIME: seconds,
        tokens.OVERRIDES: overrides,
    }
    assert tokens.window(variables) == window
    assert tokens.lifetime(variables) + tokens.window(variables) <= max(tokens.kept(variables) or 0, seconds)
