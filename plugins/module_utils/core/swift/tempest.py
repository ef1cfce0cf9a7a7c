# SPDX-License-Identifier: Apache-2.0
"""Object storage: which of OpenStack's own tests concern it, and what those are told."""

from __future__ import annotations

from ..model import Model
from ..verify.tempest import RealmTests, Sections

OFFERED = (
    "account_quotas",
    "bulk_delete",
    "bulk_upload",
    "container_quotas",
    "formpost",
    "slo",
    "staticweb",
    "tempurl",
)
"""What tempest tests of the proxy's pipeline. Neither crossdomain, which is of Flash, nor container_sync is in that."""


def sections(model: Model) -> Sections:
    """See ``RealmTests``."""
    return {
        "object-storage": {
            "region": str(model.variables["holdfast_region"]),
            "operator_role": str((model.variables.get("swift_operator_roles") or ["member"])[0]),
            "reseller_admin_role": "ResellerAdmin",
            "cluster_name": model.deployment,
        },
        "object-storage-feature-enabled": {
            "container_sync": False,
            "discoverability": True,
            "discoverable_apis": ",".join(OFFERED),
            "tempurl_digest_hashlib": "sha256",
        },
    }


TESTS = RealmTests(
    "object",
    "object_storage",
    sections,
    service="swift",
    excluded={
        r"tempest\.api\.object_storage\.test_object_formpost": "They sign forms by SHA-1, which is not accepted.",
    },
)
