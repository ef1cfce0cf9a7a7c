# SPDX-License-Identifier: Apache-2.0
"""Networks of instances: what expressions of service descriptions may ask. See ``description.expressions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..description.expressions import View
from . import chassis


def names(view: View) -> Mapping[str, Any]:
    """What the host's switch is called and is made of, and how large packets may be."""
    return {
        "switch_name": lambda: chassis.name(view.model, view.host),
        "switch_datapath": lambda: chassis.datapath(view.host.variables),
        "path_mtu": lambda: chassis.path_mtu(view.model),
        "physical_networks": lambda: chassis.physical_networks(view.model),
    }
