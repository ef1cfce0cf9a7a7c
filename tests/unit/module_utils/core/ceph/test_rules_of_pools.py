# SPDX-License-Identifier: Apache-2.0
"""Pools that services and types of back ends use are there, and a finding is where the inventory names one."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.rules.clients import pools_of_claims
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.claims import claims
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.domain import Domain
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.draft import Draft, DraftHost

POOLS = [{"name": "volumes", "application": "rbd"}, {"name": "files", "application": "cephfs"}]
GROUPS = {"groups": {"shelf": "shelf"}}
OF_ENTRIES = {"of": "shelf", "each": "{{ shelf_backends }}", "user": "shelf", **GROUPS}


def found(
    claim: dict[str, Any], own: Any = None, refused: frozenset[Any] = frozenset(), **variables: Any
) -> list[tuple[str, str, str]]:
    """Place, what is wrong and fix of each finding, with the same variables of its own on two hosts of a service."""
    hosts = {name: DraftHost(name, frozenset({"shelf", "ceph_mon"}), own or {}) for name in ("a", "b")}
    domain = Domain(({"service": "shelf", "uses": {"ceph": [claim]}},), claims=claims)
    draft = Draft(hosts, {}, {"ceph_pools": POOLS, **variables}, refused=refused, domain=domain)
    return [(finding.where, finding.what, finding.fix) for finding in pools_of_claims(draft)]


@pytest.mark.parametrize(
    ("claim", "entry", "key"),
    [
        ({"writes": ["{{ item.pool }}"]}, {"pool": "volume"}, "pool"),
        ({"reads": ["{{ item.from }}"]}, {"from": "volume", "name": "volume"}, "from"),
        ({"writes": "{{ item.pools }}"}, {"pools": ["volumes", "volume"]}, "pools[1]"),
        ({"writes": ["{{ item.on.pool | default('volumes') }}"]}, {"on": {"pool": "volume"}}, "on.pool"),
        ({"writes": ["volumes", "{{ item.pool }}"]}, {"name": "volumes", "pool": "volume"}, "pool"),
        ({"caps": {"osd": "allow rw pool={{ item.pool }}", "mon": "allow r"}}, {"pool": "volume"}, "pool"),
        ({"caps": {"osd": "allow rw pool=files, allow r pool={{ item.pool }}"}}, {"pool": "volume"}, "pool"),
        ({"caps": {"osd": "allow rw pool=.nfs, allow r pool={{ item.pool }}"}}, {"pool": "volume"}, "pool"),
        ({"writes": ["{{ item.name.removesuffix('-x') }}"]}, {"name": "volume-x"}, ""),
        ({"writes": ["volumes", "{{ item.pool | default(item.name ~ 'e') }}"]}, {"name": "volum"}, ""),
    ],
)
def test_a_pool_that_is_not_there_is_refused_at_the_key_that_names_it_or_else_at_its_entry(
    claim: dict[str, Any], entry: dict[str, Any], key: str
) -> None:
    given = {**OF_ENTRIES, **claim}
    place = f"shelf_backends[1]{f'.{key}' if key else ''}"
    other = {"name": "files", "pool": "volumes", "from": "volumes", "pools": [], "on": {}}
    for here, listed in (("all hosts", {"shelf_backends": [None, entry]}), ("a", None)):
        own = None if listed else {"shelf_backends": [other, entry]}
        said = found(given, own, **listed or {})
        assert {where for where, _, _ in said} == {f"{here}: {place}", *([] if listed else [f"b: {place}"])}
        assert {what for _, what, _ in said} == {"names the pool 'volume', which is not in ceph_pools."}
        assert {fix for _, _, fix in said} == {"Did you mean volumes? Enter it there, or name one of: volumes, files."}


@pytest.mark.parametrize(
    ("claim", "variables", "place"),
    [
        ({"writes": ["{{ shelf_pool }}"]}, {"shelf_pool": "volume"}, "all hosts: shelf_pool"),
        ({"of": "shelf", "writes": ["{{ shelf_pool }}"]}, {"shelf_pool": "volume"}, "all hosts: shelf_pool"),
        ({"reads": ["{{ shelf.pool }}"]}, {"shelf": {"name": "volume", "pool": "volume"}}, "all hosts: shelf.pool"),
        ({"caps": {"osd": "allow r pool={{ shelf_pool }}"}}, {"shelf_pool": "volume"}, "all hosts: shelf_pool"),
    ],
)
def test_a_pool_of_a_variable_is_refused_at_that(claim: dict[str, Any], variables: Any, place: str) -> None:
    assert {where for where, _, _ in found({"user": "shelf", **GROUPS, **claim}, **variables)} == {place}


def test_a_variable_of_a_host_is_refused_at_each() -> None:
    claim = {"of": "shelf", "user": "shelf", "writes": ["{{ shelf_pool }}"], **GROUPS}
    said = found(claim, {"shelf_pool": "volume"})
    assert [where for where, _, _ in said] == ["a: shelf_pool", "b: shelf_pool"]


@pytest.mark.parametrize(
    "claim",
    [
        {"writes": ["tapes"]},
        {"reads": ["volumes", "tapes"]},
        {"caps": {"osd": "allow rw pool=tapes"}},
        {**OF_ENTRIES, "writes": ["tapes"]},
        {**OF_ENTRIES, "writes": ["{{ item.pool }}", "tapes"]},
    ],
)
def test_a_pool_of_the_description_itself_is_missing_in_the_inventory(claim: dict[str, Any]) -> None:
    (finding,) = set(found({"user": "shelf", **GROUPS, **claim}, {"shelf_backends": [{"pool": "volumes"}]}))
    assert finding == (
        "all hosts: ceph_pools",
        "has no pool 'tapes', and the client shelf of a service uses it.",
        "Enter the pool.",
    )


def test_where_there_is_no_pool_at_all_it_is_to_be_entered() -> None:
    said = found({**OF_ENTRIES, "writes": ["{{ item.pool }}"]}, shelf_backends=[{"pool": "x"}], ceph_pools=[])
    assert {fix for _, _, fix in said} == {"Enter it there."}


def test_a_pool_that_two_rights_name_is_told_once_of_a_host() -> None:
    claim = {**OF_ENTRIES, "writes": ["{{ item.pool }}"], "reads": ["{{ item.pool }}"]}
    said = found(claim, {"shelf_backends": [{"pool": "volume"}]})
    assert [where for where, _, _ in said] == ["a: shelf_backends[0].pool", "b: shelf_backends[0].pool"]


@pytest.mark.parametrize(
    ("claim", "own", "more"),
    [
        ({"writes": ["{{ item.pool }}"]}, {"pool": "volumes"}, {}),
        ({"writes": ["{{ item.pool }}", "{{ item.data | default('') }}"]}, {"pool": "volumes"}, {}),
        ({"caps": {"osd": "allow rw pool=files", "mon": "allow r", "mgr": "allow rw"}}, {}, {}),
        ({"caps": {"osd": "allow rw tag cephfs data=shares"}}, {}, {}),
        ({"caps": {"osd": "allow rw pool=.nfs namespace=ganesha"}}, {}, {}),
        ({"caps": {"osd": "allow r pool=default.rgw.buckets.index"}}, {}, {}),
        ({"writes": ["volumes"], "may_write": {"vms": "nova_compute"}}, {}, {}),
        ({"writes": ["{{ item.pool }}"], "when": "{{ item.type == 'rbd' }}"}, {"type": "lvm", "pool": "volume"}, {}),
        ({"writes": ["{{ item.pool }}"], "groups": {"nobody": "x"}}, {"pool": "volume"}, {}),
        ({"writes": ["{{ item.pool }}"]}, {"type": "rbd"}, {}),
        ({"writes": ["{{ item.pool }}"]}, {"pool": "volume"}, {"ceph_external": {"fsid": "x"}}),
    ],
)
def test_what_is_there_or_nobody_uses_is_accepted(claim: dict[str, Any], own: dict[str, Any], more: Any) -> None:
    assert found({**OF_ENTRIES, **claim}, {"shelf_backends": [own]}, **more) == []


def test_of_an_entry_that_was_refused_nothing_is_said_that_is_not_its_own() -> None:
    claim = {**OF_ENTRIES, "writes": ["{{ item.pool | default('tapes') }}"]}
    own = {"shelf_backends": [{"name": "x"}]}
    refused = frozenset((name, ("shelf_backends", 0, "pool")) for name in ("a", "b"))
    assert found(claim, own, refused) == []
    assert [where for where, _, _ in found(claim, own)] == ["a: shelf_backends[0]", "b: shelf_backends[0]"]
