# SPDX-License-Identifier: Apache-2.0
"""Temporary URLs of the object store."""

from __future__ import annotations

import hashlib
import hmac


def temporary_url(path: str, key: str, method: str, expires: int) -> str:
    """``path`` with the signature of the object store's temporary URLs; ``expires`` in seconds since 1970."""
    signature = hmac.new(key.encode(), f"{method}\n{expires}\n{path}".encode(), hashlib.sha256).hexdigest()
    return f"{path}?temp_url_sig={signature}&temp_url_expires={expires}"
