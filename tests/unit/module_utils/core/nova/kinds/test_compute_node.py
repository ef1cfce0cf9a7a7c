# SPDX-License-Identifier: Apache-2.0
"""What is refused, or told, before a host becomes one that has instances."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.nova.kinds import compute_node

INTEL = {"vendor": "GenuineIntel", "model": "One of Intel"}
AMD = {"vendor": "AuthenticAMD", "model": "One of AMD"}
SHARE = "172.29.244.250:/export/instances"


def answer(**differs: Any) -> dict[str, Any]:
    return {
        "ids": {},
        "guests": [],
        "name": "compute1",
        "kvm": True,
        "processor": INTEL,
        "count": 8,
        "memory_mb": 16000,
        "mounted": "",
        "instances": [],
        "peers": {},
        **differs,
    }


def wanted(**differs: Any) -> dict[str, Any]:
    return {
        "host": "compute1",
        "id": "11111111-1111-5111-8111-111111111111",
        "instances": "/var/lib/nova/instances",
        "share": "",
        "virt_type": "auto",
        "cpu_mode": "host-model",
        "flavors": [],
        **differs,
    }


def codes(current: dict[str, Any], want: dict[str, Any]) -> list[str]:
    return [f"{found.severity} {found.code}" for found in compute_node.plan(current, want).findings]


def test_a_bare_host_gets_the_id_that_it_keeps():
    planned = compute_node.plan(answer(), wanted())
    assert [(change.subject, change.action) for change in planned] == [(compute_node.PATH, "create")]
    assert list(compute_node.plan(answer(ids={compute_node.PATH: wanted()["id"]}), wanted())) == []


@pytest.mark.parametrize(
    ("current", "want", "code"),
    [
        ({"ids": {compute_node.PATH: "another"}}, {}, "error nova.compute-id"),
        ({"guests": ["of-somebody"]}, {}, "error nova.foreign-guests"),
        ({"instances": ["a-disk"]}, {"share": SHARE}, "error nova.instances-beneath"),
        ({"mounted": "172.29.244.250:/export/other"}, {"share": SHARE}, "error nova.share-other"),
        ({"kvm": False}, {"virt_type": "kvm"}, "error nova.no-kvm"),
        ({"kvm": False}, {}, "advice nova.emulated"),
        ({"peers": {"compute2": answer(name="compute1")}}, {}, "error nova.name-twice"),
        ({"peers": {"compute2": answer(name="compute2", processor=AMD)}}, {}, "advice nova.processors-differ"),
        ({}, {"flavors": [{"name": "huge", "vcpus": 1, "memory_mb": 16001}]}, "error nova.flavor-too-large"),
        ({}, {"flavors": [{"name": "wide", "vcpus": 9, "memory_mb": 1}]}, "error nova.flavor-too-large"),
    ],
)
def test_what_does_not_fit_is_told(current: dict[str, Any], want: dict[str, Any], code: str):
    assert codes(answer(**current), wanted(**want)) == [code]


@pytest.mark.parametrize(
    ("current", "want"),
    [
        ({"ids": {compute_node.PATH: wanted()["id"]}, "guests": ["instance-00000001"]}, {}),
        ({"mounted": SHARE, "instances": ["a-disk"]}, {"share": SHARE}),
        ({"instances": ["a-disk"]}, {}),
        ({"kvm": False}, {"virt_type": "qemu"}),
        ({"peers": {"compute2": answer(name="compute2", processor=AMD)}}, {"cpu_mode": "custom"}),
        (
            {"peers": {"compute2": answer(name="compute2", memory_mb=64000)}},
            {"flavors": [{"name": "large", "vcpus": 8, "memory_mb": 32000}]},
        ),
    ],
)
def test_what_is_right_is_not_complained_of(current: dict[str, Any], want: dict[str, Any]):
    assert codes(answer(**current), wanted(**want)) == []


def test_hosts_are_told_what_the_others_said():
    answers = {
        "compute1": {"services/compute_node": answer()},
        "compute2": {"services/compute_node": answer(name="compute2")},
        "compute3": {"services/compute_node": {"error": "away"}},
        "control1": {"services/flavor": {}},
    }
    assert list(compute_node.join("compute1", answers)["peers"]) == ["compute2"]
