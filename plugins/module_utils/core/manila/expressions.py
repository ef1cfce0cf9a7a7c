# SPDX-License-Identifier: Apache-2.0
"""Shared file systems: what expressions of service descriptions may ask. See ``description.expressions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..description.expressions import View
from . import backends


def names(view: View) -> Mapping[str, Any]:
    """What the host does with shares, and what there is of them."""
    return {
        "share_groups": lambda: backends.volume_groups(view.host),
        "share_protocols": lambda: backends.all_protocols(view.model),
        "default_share_type": lambda: backends.default_share_type(view.model),
    }
