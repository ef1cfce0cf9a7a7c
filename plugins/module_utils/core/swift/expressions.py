# SPDX-License-Identifier: Apache-2.0
"""Object storage: what expressions of service descriptions may ask. See ``description.expressions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..description.expressions import View

# The limits that Swift has when swift.conf says none.
_LIMITS = {
    "max_meta_count": 90,
    "max_meta_overall_size": 4096,
    "max_header_size": 8192,
    "extra_header_count": 0,
}
# What Swift allows beside metadata: its own headers and those of every answer.
_OTHERS = 36
# What stands around the name of a piece of metadata: `X-Container-Meta-`, and the end of the line.
_AROUND = 32
# Headers that may be as long as one can be: lists of who may read and write, targets, types.
_LONG = 8


def headers(constraints: Mapping[str, Any]) -> dict[str, int]:
    """``{count, bytes}`` of the largest answer about an account, a container or an object.

    ``constraints`` are options of the section ``swift-constraints`` of swift.conf.
    """
    limit = {name: int(constraints.get(name, default)) for name, default in _LIMITS.items()}
    return {
        "count": limit["max_meta_count"] + _OTHERS + max(limit["extra_header_count"], 0),
        "bytes": limit["max_meta_overall_size"] + limit["max_meta_count"] * _AROUND + _LONG * limit["max_header_size"],
    }


def names(view: View) -> Mapping[str, Any]:
    """The largest answer."""

    def swift_headers() -> dict[str, int]:
        """See ``headers``."""
        overrides = view.host.variables.get("swift_conf_overrides") or {}
        return headers((overrides.get("swift.conf") or {}).get("swift-constraints") or {})

    return {"swift_headers": swift_headers}
