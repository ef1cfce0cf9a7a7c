# SPDX-License-Identifier: Apache-2.0
"""Keystone's symmetric keys, as the deployment keeps them: one secret that all identity hosts get.

The secret is JSON text: ``{"rotated": seconds since the epoch, "keys": {number: key}}``. Number 0 is the staged key,
which becomes the primary at the next rotation; the highest number is the primary, which signs; those between are old
ones, whose tokens are still good. As every host has the staged key before any host signs with it, hosts may get a
rotation one after another.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping

STAGED = "0"
KEY_BYTES = 32

Random = Callable[[int], bytes]


def generate(random: Random, now: float) -> str:
    """A new secret: a staged and a primary key. ``random`` gives that many bytes."""
    return _text(now, {STAGED: _key(random), "1": _key(random)})


def keys(secret: str) -> dict[str, str]:
    """The keys by number."""
    found: Mapping[str, str] = json.loads(secret)["keys"]
    return dict(found)


def age_hours(secret: str, now: float) -> float:
    """Hours since the last rotation."""
    return (now - float(json.loads(secret)["rotated"])) / 3600


def rotate(secret: str, *, maximum: int, random: Random, now: float) -> str:
    """The secret with the staged key as the primary, a new staged key, and at most ``maximum`` keys (3 or more)."""
    current = keys(secret)
    primary = max(map(int, current))
    rotated = {**current, str(primary + 1): current[STAGED], STAGED: _key(random)}
    surplus = sorted((number for number in map(int, rotated) if number), reverse=True)[max(maximum, 3) - 1 :]
    return _text(now, {number: key for number, key in rotated.items() if int(number) not in surplus})


def _key(random: Random) -> str:
    return base64.urlsafe_b64encode(random(KEY_BYTES)).decode()


def _text(now: float, numbered: Mapping[str, str]) -> str:
    ordered = {number: numbered[number] for number in sorted(numbered, key=int)}
    return json.dumps({"rotated": int(now), "keys": ordered})
