# SPDX-License-Identifier: Apache-2.0
"""What descriptions put into the catalog: several accounts, services and places, and domains of their own."""

from __future__ import annotations

from ansible_collections.holdfast.storage.plugins.module_utils.core.description.load import Description
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations.wants import database
from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone.wants import catalog
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model, Network

SECRETS = {
    "heat_identity_password": "a",
    "heat_domain_admin_identity_password": "b",
    "heat_database_password": "c",
    "heat_more_database_password": "d",
}
HEAT = {
    "service": "heat",
    "components": [{"group": "keystone"}],
    "databases": [{"name": "heat"}, {"name": "heat_more", "character_set": "utf8mb3"}],
    "identity": {
        "roles": ["heat_stack_user"],
        "domains": [{"name": "heat", "description": "Stacks"}],
        "users": [
            {"name": "heat", "roles": ["service"]},
            {"name": "heat_domain_admin", "domain": "heat", "roles": ["admin"]},
        ],
        "services": [
            {"type": "orchestration", "name": "heat", "description": "Stacks", "endpoint": {"flow": "glance_api"}},
            {
                "type": "cloudformation",
                "name": "heat-cfn",
                "description": "Stacks, as others ask for them",
                "endpoint": {"flow": "cinder_api", "path": "/v1", "region": "Other"},
            },
        ],
    },
}


def deployed():
    variables = {"haproxy_address": "10.0.0.10", "holdfast_region": "RegionOne"}
    host = Host("control1", frozenset({"keystone", "mariadb"}), {"mgmt": "10.0.0.11"}, {}, variables)
    model = Model("t", {"mgmt": Network("mgmt", "br-mgmt", "10.0.0.0/24")}, {"control1": host}, variables)
    return model, host, Services([Description("heat", HEAT, {})], model, SECRETS)


def test_a_service_has_several_places_accounts_and_a_domain():
    wanted = catalog(*deployed(), SECRETS)
    assert [service["type"] for service in wanted["services"]] == ["orchestration", "cloudformation"]
    assert all("endpoint" not in service for service in wanted["services"])
    assert wanted["regions"] == [{"name": "RegionOne"}, {"name": "Other"}]
    places = {(place["type"], place["region"], place["url"]) for place in wanted["endpoints"]}
    assert places == {
        ("orchestration", "RegionOne", "https://10.0.0.10:9292"),
        ("cloudformation", "Other", "https://10.0.0.10:8776/v1"),
    }
    assert wanted["domains"] == [{"name": "heat", "description": "Stacks"}]
    assert wanted["users"] == [
        {"name": "admin", "lockable": False},
        {"name": "heat", "password": "a", "lockable": False},
        {"name": "heat_domain_admin", "domain": "heat", "password": "b", "lockable": False},
    ]
    assert wanted["assignments"] == [
        {"user": "heat", "role": "service", "project": "service"},
        {"user": "heat_domain_admin", "role": "admin", "user_domain": "heat", "domain": "heat"},
    ]
    assert [role["name"] for role in wanted["roles"]] == ["heat_stack_user", "service", "admin"]


def test_a_service_has_several_schemas():
    wanted = database(*deployed(), SECRETS)["databases"]
    assert [(entry["name"], entry["password"], entry["character_set"]) for entry in wanted] == [
        ("heat", "c", "utf8mb4"),
        ("heat_more", "d", "utf8mb3"),
    ]
