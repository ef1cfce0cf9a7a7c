# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import counted


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, "zone", "0 zones"),
        (1, "problem", "1 problem"),
        (2, "problem", "2 problems"),
        (1, "entry", "1 entry"),
        (3, "entry", "3 entries"),
        (2, "key", "2 keys"),
    ],
)
def test_a_number_has_its_noun(number: int, noun: str, said: str) -> None:
    assert counted(number, noun) == said
