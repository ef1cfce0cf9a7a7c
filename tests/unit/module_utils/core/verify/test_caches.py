# SPDX-License-Identifier: Apache-2.0
"""The stories of caches believe attempts only."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import caches
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Scene

OWN = {"name": caches.OWNER, "written": True, "said": "STORED"}
REFUSED = {"name": "nobody", "written": False, "said": "PermissionError"}
ABSENT = {"name": "glance", "absent": True}


def tell(*attempts: dict[str, Any]) -> dict[str, Any]:
    return caches.written_by_nobody_else(Scene("r", {"cache": {"attempts": list(attempts)}}), "cache")


def test_the_service_alone_writes() -> None:
    assert tell(OWN, REFUSED, ABSENT) == {caches.OWNER: "STORED", "nobody": "PermissionError"}


@pytest.mark.parametrize(
    ("attempts", "said"),
    [
        ((OWN, {**REFUSED, "written": True}), "written by nobody"),
        ((OWN, REFUSED, {"name": "swift", "written": True, "said": "STORED"}), "written by swift"),
        (({**OWN, "written": False, "said": "refused"}, REFUSED), "could not write its cache: refused"),
        ((REFUSED,), "it did not try"),
        ((OWN,), "Nobody else tried"),
        ((OWN, ABSENT), "Nobody else tried"),
    ],
)
def test_what_proves_nothing_is_no_proof(attempts: tuple[dict[str, Any], ...], said: str) -> None:
    with pytest.raises(HoldfastError, match=said):
        tell(*attempts)


def test_a_module_that_failed_is_no_proof() -> None:
    with pytest.raises(HoldfastError, match="no root here"):
        caches.written_by_nobody_else(Scene("r", {"cache": {"msg": "no root here"}}), "cache")
