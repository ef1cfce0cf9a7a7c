# SPDX-License-Identifier: Apache-2.0
"""What every service is made of: what expressions of service descriptions may ask. See ``description.expressions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..description.expressions import View
from .kinds import disk


def names(view: View) -> Mapping[str, Any]:
    """Names of systemd's units."""
    return {"device_unit": lambda path: disk.unit_name(path, "device")}
