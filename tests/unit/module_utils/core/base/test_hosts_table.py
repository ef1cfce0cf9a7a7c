# SPDX-License-Identifier: Apache-2.0
"""The block of /etc/hosts: every host, and the name of all APIs, for sites without DNS."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases


def entry(content: dict[str, Any], host: str) -> dict[str, Any]:
    services = cases.deployed(content)
    files = [file for part in services.components(services.model.hosts[host]) for file in part.get("files", ())]
    (found,) = (file for file in files if file["path"] == "/etc/hosts")
    return dict(found)


@pytest.mark.parametrize("host", ["c1.north.example", "s3"])
def test_it_has_all_hosts_and_the_name_of_all_apis(host: str) -> None:
    found = entry(cases.good("metal"), host)
    assert found["state"] == "block"
    lines = found["content"].splitlines()
    assert {"10.10.0.11 c1.north.example", "10.10.0.23 s3", "10.10.0.5 cloud.north.example"} <= set(lines)


def test_without_a_name_of_all_apis_there_is_none() -> None:
    assert "172.29.236.10" not in entry(cases.good("lab"), "control1")["content"]
