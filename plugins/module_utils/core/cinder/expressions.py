# SPDX-License-Identifier: Apache-2.0
"""Volumes: what expressions of service descriptions may ask. See ``description.expressions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..description.expressions import View
from ..description.load import backends_of
from . import backends, shares


def names(view: View) -> Mapping[str, Any]:
    """What the host does with volumes."""
    return {
        "volume_groups": lambda: backends.volume_groups(view.host),
        "nfs_share_files": lambda: shares.share_files(view.model, view.host),
        "attaches_by_kernel": lambda: backends.attaches_by_kernel(
            backends_of(view.deployed).get("cinder"), view.model, view.host
        ),
    }
