# SPDX-License-Identifier: Apache-2.0
"""What tests of several kinds use."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.base import guard


@pytest.fixture
def armed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The guard has tests of its own; here, what it was given."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(guard, "arm", lambda io, name, **options: calls.append({"name": name, **options}))
    return calls
