# SPDX-License-Identifier: Apache-2.0
"""Keys of cephx as secrets of the deployment."""

from __future__ import annotations

import hashlib
import secrets as random
import time

from ..inventory.secrets import Form
from .values import KEY_BYTES, is_key, make_key


def _placeholder(name: str) -> str:
    return make_key(hashlib.sha256(name.encode()).digest()[:KEY_BYTES])


def _weakness(_: str, value: str) -> str | None:
    return None if is_key(value) else "is not a key of Ceph's"


FORMS = {
    "ceph_key": Form(
        lambda: make_key(random.token_bytes(KEY_BYTES), int(time.time())),
        _weakness,
        _placeholder,
        called="a key of Ceph's",
        remedy="Take it out of the vault file: Holdfast makes one. Or give the key as `ceph auth get-key` shows it.",
    ),
}
