# SPDX-License-Identifier: Apache-2.0
"""Domains that services have are theirs: no site lists them again, and what is in them may be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import domain
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import build as inventory
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import RULES
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

TWICE, UNKNOWN = "keystone.twice keystone_domains[0].name", "keystone.unknown keystone_projects[0].domain"
LEDGER, PROJECT = [{"name": "Ledger"}], [{"name": "web", "domain": "ledger"}]


@pytest.mark.parametrize(
    ("group", "domains", "projects", "found"),
    [
        ("glance_api", LEDGER, [], [TWICE]),
        ("ledger_api", LEDGER, [], [TWICE]),
        ("glance_api", [], PROJECT, []),
        ("ledger_api", [], PROJECT, [UNKNOWN]),
        ("glance_api", [{"name": "ledger2"}], [], []),
    ],
)
def test_a_domain_of_a_service_is_reserved(group: str, domains: Any, projects: Any, found: list[str]) -> None:
    service = {
        "service": "ledger",
        "components": [{"group": [group]}],
        "identity": {"domains": [{"name": "ledger"}]},
    }
    known = domain()
    content = cases.good("lab")
    content["vars"] |= {"keystone_domains": domains, "keystone_projects": projects, "keystone_users": []}
    with_ledger = replace(known, services=(*known.services, service))
    _, findings = inventory.build(cases.raw(content), cases.roles(), None, rules=RULES, domain=with_ledger)
    said = [f"{found.code} {found.where.rpartition(': ')[2]}" for found in findings if found.severity == "error"]
    assert said == found
