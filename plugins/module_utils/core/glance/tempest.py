# SPDX-License-Identifier: Apache-2.0
"""Images: which of OpenStack's own tests concern them, and what those are told."""

from __future__ import annotations

from ..model import Model
from ..verify.tempest import RealmTests, Sections


def sections(model: Model) -> Sections:
    """See ``RealmTests``."""
    return {
        "image": {"region": str(model.variables["holdfast_region"]), "http_image": ""},
        "image-feature-enabled": {
            "import_image": True,
            "os_glance_reserved": bool(model.variables.get("glance_stores")),
        },
    }


TESTS = RealmTests("image", "image", sections, service="glance")
