# SPDX-License-Identifier: Apache-2.0
"""Options of drivers: asked once, refused when no driver has them, asked later where cinder is not there yet."""

from __future__ import annotations

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder import wants as cinder_wants
from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder.kinds import driver_option as kind
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result

KNOWN = {"san_ip", "pure_api_token"}
CINDER = {"package": "cinder-common", "namespace": "cinder"}
WANTED = {"backends": [{"name": "array", "options": ["pure_api_token", "san_ip"]}], **CINDER}
WRONG = {"backends": [*WANTED["backends"], {"name": "other", "options": ["san_pi"]}], **CINDER}


class IO(dict):
    """A host with or without cinder, whose validator answers as the real one does."""

    def __init__(self, version="2:26.0.0-2"):
        super().__init__()
        self.version, self.asked = version, 0

    def run(self, argv, *, check, stdin="", timeout=0):
        if argv[0].endswith("dpkg-query"):
            told = f"{argv[-1]}\tii \t{self.version}\n"
            return Result(0, told, "") if self.version else Result(1, "", "no packages found")
        self.asked += 1
        section, *lines = stdin.splitlines()
        assert section == "[backend_defaults]"
        wrong = [name for name in (line.split(" = ")[0] for line in lines) if name not in KNOWN]
        told = "".join(f"ERROR:root:backend_defaults/{name} is not part of the sample config\n" for name in wrong)
        return Result(1 if wrong else 0, "", f"INFO:oslo_service.backend:Loading\n{told}")

    def read_text(self, path):
        return self.get(path)

    def write(self, path, content, *, mode):
        assert mode == "0600"
        self[path] = content


def converge(io, wanted):
    plan = kind.plan(kind.read(io, kind.question(wanted)), wanted)
    if plan and not plan.errors:
        kind.apply(io, plan)
    return plan


def test_names_are_asked_once_for_each_version():
    io = IO()
    assert converge(io, WANTED).summary() == ["check options of cinder's drivers"]
    asked = io.asked
    assert not converge(io, WANTED)
    assert io.asked == asked
    io.version = "2:26.1.0-1"
    assert converge(io, WANTED)


def test_a_name_that_no_driver_has_is_refused_in_the_plan():
    io = IO()
    (finding,) = converge(io, WRONG).errors
    assert finding.where == "cinder_backends: other: options.san_pi"
    assert not io


def test_where_cinder_is_not_there_yet_it_is_asked_before_it_reads():
    io = IO(version="")
    plan = kind.plan(kind.read(io, kind.question(WRONG)), WRONG)
    assert plan
    assert io.asked == 0
    with pytest.raises(HoldfastError, match="is missing"):
        kind.apply(io, plan)
    io.version = "2:26.0.0-2"
    with pytest.raises(HoldfastError, match="san_pi"):
        kind.apply(io, plan)


def test_a_validator_that_fails_is_no_approval(monkeypatch):
    io = IO()
    monkeypatch.setattr(
        IO,
        "run",
        lambda self, argv, **_: Result(0, "cinder-common\tii \t1\n", "") if "dpkg" in argv[0] else Result(127, "", "?"),
    )
    with pytest.raises(HoldfastError, match="gave no answer"):
        kind.read(io, kind.question(WANTED))


def test_only_names_leave_the_controller():
    backends = [
        {"name": "array", "options": {"san_ip": "10.0.0.1"}, "secret_options": {"pure_api_token": "site_token"}},
        {"name": "ceph", "options": {}},
    ]
    host = Host("a", frozenset({"cinder_volume"}), {}, {}, {"cinder_backends": backends})
    assert cinder_wants.driver_option(None, host, None, {}) == WANTED
    assert cinder_wants.driver_option(None, Host("a", frozenset(), {}, {}, host.variables), None, {}) == {}
