# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("liberasurecode_rs_vand", set()),
        ("isa_l_rs_cauchy", {"libisal2"}),
        ("isa_l_rs_vand", {"libisal2"}),
        ("jerasure_rs_vand", {"libjerasure2"}),
    ],
)
def test_hosts_of_swift_have_the_library_of_their_erasure_code(code: str, wanted: set[str]) -> None:
    services = cases.deployed(cases.changed({"set": {"vars/swift_policies/1/ec_type": code}}))
    for host in ("control1", "storage1"):
        packages = {
            name for part in services.components(services.model.hosts[host]) for name in part.get("packages", ())
        }
        # Proxies have the first for checksums of S3 as well.
        always = {"libisal2"} if host == "control1" else set()
        assert packages & {"libisal2", "libjerasure2"} == wanted | always
