# SPDX-License-Identifier: Apache-2.0
"""What scripts/render writes: all of a deployment, the same each time, and no secret of the site."""

from __future__ import annotations

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import (
    Deployment,
    known_secrets,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.secrets import TEXT
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import rendering
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import ORDER
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases


def rendered(name):
    model, findings = cases.build(cases.raw(cases.good(name)))
    assert model, findings
    users = {user["secret"]: TEXT for user in model.variables["keystone_users"]}
    placeholders = {name: form.placeholder(name) for name, form in {**known_secrets(), **users}.items()}
    deployment = Deployment.of(model, placeholders)
    return dict(rendering.render(ORDER, model, deployment.services, placeholders))


def test_files_questions_and_plans_of_every_host_are_there():
    found = rendered("lab")
    assert "[DEFAULT]" in found["control1/files/etc/glance/glance-api.conf"]
    assert found["control1/files/etc/holdfast/firewall.nft"].startswith("# Written by Holdfast")
    assert "/etc/glance/glance-api.conf" in found["control1/questions/services/file.json"]
    assert "create /etc/glance/glance-api.conf" in found["control1/plan/services/file.txt"].splitlines()
    assert not [name for name, text in found.items() if "Not without the host" in text]


def test_it_is_the_same_each_time_and_secrets_are_placeholders():
    first = rendered("lab")
    assert first == rendered("lab")
    assert "(glance_database_password)" in first["control1/files/etc/glance/glance-api.conf"]
