# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any, cast

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph import stories
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Cloud, Scene

CLEAN: dict[str, Any] = {"examined": 2, "files": []}
NOBODY = cast(Cloud, None)


def told(**keyrings: dict[str, Any]) -> dict[str, Any]:
    return stories.administrator(NOBODY, Scene(run="r", facts={"keyrings": keyrings}))


def test_hosts_without_the_administrators_key_are_the_proof():
    assert told(one=CLEAN, two=CLEAN) == dict.fromkeys(("one", "two"), "2 files of /etc/ceph, none with that key")


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ({"examined": 2, "files": [{"path": "/etc/ceph/x"}]}, "two is not in ceph_admin, and has .* in /etc/ceph/x"),
        ({"examined": 0, "files": []}, "two: nothing was found in /etc/ceph: no answer"),
        ({"msg": "unreachable"}, "two: nothing was found in /etc/ceph: unreachable"),
    ],
)
def test_one_that_has_it_or_was_not_looked_into_is_none(found: dict[str, Any], problem: str):
    with pytest.raises(HoldfastError, match=problem):
        told(one=CLEAN, two=found)
