# SPDX-License-Identifier: Apache-2.0
"""What the stories of identity are told of a deployment."""

from __future__ import annotations

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone import stories as identity
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("lab", ["identity", "image", "object-store"]),
        ("block", ["block-storage", "identity", "image", "object-store"]),
        ("networks-only", []),
    ],
)
def test_the_catalog_has_to_list_every_service_that_is_deployed(name: str, listed: list[str]) -> None:
    services = cases.deployed(cases.good(name))
    assert identity.facts(services.model, services)["services"] == listed


def test_a_lone_member_has_a_cache() -> None:
    services = cases.deployed(cases.good("lab"))
    assert identity.facts(services.model, services)["cache_host"] == services.model.group("keystone")[0].name
