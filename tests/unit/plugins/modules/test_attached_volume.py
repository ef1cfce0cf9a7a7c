# SPDX-License-Identifier: Apache-2.0
"""A slow host finds the ways to a volume one after another: they are waited for, and not for ever."""

from __future__ import annotations

import time

import pytest

from ansible_collections.holdfast.storage.plugins.modules import attached_volume


@pytest.mark.parametrize(("wanted", "found", "slept"), [(1, 1, 0), (2, 2, 2), (3, 2, 300)])
def test_ways_are_waited_for(monkeypatch: pytest.MonkeyPatch, wanted: int, found: int, slept: int) -> None:
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    monkeypatch.setattr(time, "monotonic", lambda: sum(naps))
    monkeypatch.setattr(attached_volume, "ways_to", lambda path: 1 if len(naps) < 2 else 2)
    assert attached_volume.wait_for_ways("/dev/dm-0", wanted) == found
    assert len(naps) == pytest.approx(slept, abs=1)
