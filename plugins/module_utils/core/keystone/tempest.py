# SPDX-License-Identifier: Apache-2.0
"""Identity: which of OpenStack's own tests concern it, and what those are told."""

from __future__ import annotations

from ..model import Model
from ..verify.tempest import RealmTests, Sections


def sections(model: Model) -> Sections:
    """See ``RealmTests``."""
    return {"identity-feature-enabled": {"api_v2": False, "security_compliance": False}}


TESTS = RealmTests("identity", "identity", sections)
