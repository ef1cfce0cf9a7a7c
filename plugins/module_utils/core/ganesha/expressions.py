# SPDX-License-Identifier: Apache-2.0
"""NFS servers of CephFS: what expressions of service descriptions may ask. See ``description.expressions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..description.expressions import View
from . import nodes


def names(view: View) -> Mapping[str, Any]:
    """The servers."""
    return {"ganesha_nodes": lambda: nodes.nodes(view.model, view.host)}
