# SPDX-License-Identifier: Apache-2.0
"""What services stand on: what a host should have."""

from __future__ import annotations

from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations import wants
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model

VARIABLES = {"haproxy_address": "172.29.236.10", "haproxy_name": "cloud.example.com"}


def names(*groups: str) -> list[str]:
    host = Host("control1", frozenset(groups), {"mgmt": "172.29.236.11"}, {}, {})
    return wants.names(Model("lab", {}, {"control1": host}, VARIABLES), host)


def test_a_certificate_has_the_names_under_which_its_host_is_dialled() -> None:
    assert names("mariadb") == ["DNS:control1", "IP:172.29.236.11"]
    assert names("haproxy") == ["DNS:cloud.example.com", "DNS:control1", "IP:172.29.236.10", "IP:172.29.236.11"]
    assert names("etcd") == ["DNS:control1", "IP:127.0.0.1", "IP:172.29.236.11"]
    assert names("swift_storage") == []
