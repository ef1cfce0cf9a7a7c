# SPDX-License-Identifier: Apache-2.0
import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import platform

WANTED = {"host": "storage1", "memory_mib": 1024, "disk_mib": 2048}
GOOD = {
    "distribution": "debian",
    "version": "13",
    "architecture": "x86_64",
    "systemd": True,
    "root": True,
    "memory_mib": 4096,
    "disk_mib": 9000,
    "security_suite": True,
    "hostname": "storage1",
    "skew_seconds": 0.2,
}


def test_a_good_host_gives_no_complaint():
    assert not platform.plan(GOOD, WANTED).findings
    assert not platform.plan({**GOOD, "hostname": "storage1.example.org"}, WANTED).findings


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"distribution": "ubuntu", "version": "24.04"}, "platform.distribution"),
        ({"version": "12"}, "platform.distribution"),
        ({"architecture": "riscv64"}, "platform.architecture"),
        ({"systemd": False}, "platform.systemd"),
        ({"root": False}, "platform.root"),
        ({"memory_mib": 1023}, "platform.memory"),
        ({"disk_mib": 100}, "platform.disk"),
        ({"security_suite": False}, "platform.security_suite"),
        ({"skew_seconds": -11}, "platform.clock"),
        ({"skew_seconds": 300}, "platform.clock"),
    ],
)
def test_what_cannot_serve_is_refused(change, code):
    (finding,) = platform.plan({**GOOD, **change}, WANTED).errors
    assert finding.code == code
    assert finding.where == "storage1"


def test_another_hostname_is_advice():
    (finding,) = platform.plan({**GOOD, "hostname": "localhost"}, WANTED).findings
    assert finding.severity == "advice"
