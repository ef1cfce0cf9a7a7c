# SPDX-License-Identifier: Apache-2.0
"""Keystone's numbered keys as secrets of the deployment."""

from __future__ import annotations

import base64
import hashlib
import secrets as random
import time

from ..inventory.secrets import Form
from . import fernet


def _placeholder(name: str) -> str:
    return fernet.generate(lambda size: hashlib.sha256(name.encode()).digest()[:size], 0)


def _weakness(_: str, value: str) -> str | None:
    try:
        numbered = fernet.keys(value)
        if len(numbered) >= 2 and all(
            len(base64.urlsafe_b64decode(key)) == fernet.KEY_BYTES for key in numbered.values()
        ):
            return None
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return "is not a set of keystone's keys"


FORMS = {
    "fernet_keys": Form(
        lambda: fernet.generate(random.token_bytes, time.time()),
        _weakness,
        _placeholder,
        called="a set of keystone's keys",
    )
}
