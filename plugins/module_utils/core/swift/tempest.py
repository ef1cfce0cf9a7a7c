# SPDX-License-Identifier: Apache-2.0
"""Object storage: which of OpenStack's own tests concern it, and what those are told."""

from __future__ import annotations

from ..model import Model
from ..verify.tempest import RealmTests, Sections


def sections(model: Model) -> Sections:
    """See ``RealmTests``."""
    return {
        "object-storage": {
            "region": str(model.variables["holdfast_region"]),
            "operator_role": str((model.variables.get("swift_operator_roles") or ["member"])[0]),
            "reseller_admin_role": "ResellerAdmin",
            "cluster_name": model.deployment,
        },
        "object-storage-feature-enabled": {"container_sync": False, "discoverability": True},
    }


TESTS = RealmTests("object_storage", sections, service="swift")
