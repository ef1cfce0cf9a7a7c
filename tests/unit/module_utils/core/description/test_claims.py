# SPDX-License-Identifier: Apache-2.0
"""What services ask of what they use, for an inventory that may be wrong and for one that is not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.description import schema
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.claims import claims
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.domain import Domain
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.draft import Draft, DraftHost

CLAIM = {
    "of": "manila_share",
    "each": "{{ manila_backends }}",
    "when": "{{ item.type == 'cephfs' }}",
    "user": "{{ item.user | default('manila') }}",
    "caps": {"mon": "allow r", "mgr": "allow rw", "osd": "allow rw pool={{ item.pool }}"},
    "groups": {"manila_share": "manila"},
}


_CLAIMS = schema.document()["properties"]["uses"]["properties"]


def draft(claim: dict[str, Any], *backends: Any, **variables: Any) -> Draft:
    """Two hosts with the same back ends, and one without any."""
    share = frozenset({"manila_share"})
    hosts = {name: DraftHost(name, share, {"manila_backends": list(backends)}) for name in ("a", "b")}
    hosts["c"] = DraftHost("c", frozenset(), {})
    services = ({"service": "manila", "uses": {"ceph": [claim]}},)
    return Draft(hosts, {"manila_share": ("a", "b")}, variables, domain=Domain(services, claims=claims))


def test_a_claim_stands_for_each_entry_of_each_host_and_once_when_it_is_the_same() -> None:
    found = draft(CLAIM, {"type": "cephfs", "pool": "one"}, {"type": "lvm"}, {"type": "cephfs", "pool": "two"}).claims
    assert [claim["caps"]["osd"] for claim in found["ceph"]] == ["allow rw pool=one", "allow rw pool=two"]
    assert {claim["user"] for claim in found["ceph"]} == {"manila"}
    assert found["ceph"][0] == {
        "user": "manila",
        "caps": {"mon": "allow r", "mgr": "allow rw", "osd": "allow rw pool=one"},
        "groups": {"manila_share": "manila"},
    }


def test_without_a_host_of_its_group_nobody_claims() -> None:
    assert draft({**CLAIM, "of": "elsewhere"}, {"type": "cephfs", "pool": "one"}).claims == {"ceph": ()}


def test_of_a_wrong_inventory_what_is_missing_is_left_out_and_a_right_one_has_all() -> None:
    wrong = draft(CLAIM, "text", {"pool": "x"}, {"type": "cephfs"})
    assert [claim["caps"] for claim in wrong.claims["ceph"]] == [{"mon": "allow r", "mgr": "allow rw"}]
    with pytest.raises(HoldfastError, match=r"roles/manila/service.yml: uses: ceph"):
        claims(wrong, strict=True)
    unlisted = draft({**CLAIM, "each": "{{ nothing }}"}, {"type": "cephfs"})
    assert unlisted.claims == {"ceph": ()}


def test_a_claim_may_see_the_deployment_alone() -> None:
    claim = {
        "when": "{{ with_backups }}",
        "user": "{{ name }}",
        "writes": ["{{ pool }}", "fixed"],
        "groups": {"x": "y"},
    }
    asked = draft(claim, name="n", with_backups=True).claims["ceph"]
    assert asked == ({"user": "n", "writes": ["fixed"], "groups": {"x": "y"}},)
    assert draft(claim, name="n", with_backups=False).claims == {"ceph": ()}


@pytest.mark.parametrize("key", ["of", "each", "when"])
def test_the_form_knows_for_whom_each_claim_stands(key: str) -> None:
    assert all(key in claims["items"]["properties"] for claims in _CLAIMS.values())
