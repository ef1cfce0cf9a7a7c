# SPDX-License-Identifier: Apache-2.0
import contextlib
import copy
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import unit

WANTED = {
    "units": [
        {
            "name": "glance-api.service",
            "state": "started",
            "enabled": True,
            "inputs": [{"path": "/etc/g.conf", "sha256": "new"}, {"path": "/etc/tls/host.pem", "sha256": None}],
            "packages": ["glance-api"],
            "listens": [],
            "reload": False,
        }
    ]
}
STARTED_WITH = {"/etc/g.conf": "new", "/etc/tls/host.pem": "c1", "package glance-api": "30"}


def current(**changes):
    state = {"active": "active", "sub": "running", "enabled": True, "started_with": STARTED_WITH}
    return {
        "units": {"glance-api.service": {**state, **changes}},
        "files": {"/etc/tls/host.pem": "c1"},
        "versions": {"glance-api": "30"},
    }


def test_converged_unit_is_left_alone():
    assert not unit.plan(current(), WANTED)


def test_bare_host_enables_and_starts():
    bare = {"units": {}, "files": {}, "versions": {}}
    assert unit.plan(bare, WANTED).summary() == ["enable glance-api.service", "start glance-api.service"]


def test_changed_file_certificate_or_version_restarts():
    for name in STARTED_WITH:
        plan = unit.plan(current(started_with={**STARTED_WITH, name: "old"}), WANTED)
        assert plan.summary() == ["restart glance-api.service"]
        assert name in plan.changes[0].before


def test_unit_started_by_something_else_is_restarted_once():
    assert unit.plan(current(started_with=None), WANTED).summary() == ["adopt glance-api.service"]


def test_what_nothing_goes_into_is_started_and_never_again():
    """A target, by which others start at boot: started anew, it would take all of them with it."""
    target = {**WANTED["units"][0], "name": "ceph-mon.target", "inputs": [], "packages": []}
    state = {"active": "active", "sub": "active", "enabled": False, "started_with": None}
    stands = {"units": {"ceph-mon.target": state}, "files": {}, "versions": {}}
    assert unit.plan(stands, {"units": [target]}).summary() == ["enable ceph-mon.target"]
    state.update(active="inactive", sub="dead")
    assert unit.plan(stands, {"units": [target]}).summary() == ["enable ceph-mon.target", "start ceph-mon.target"]


def test_unit_that_flaps_counts_as_not_running():
    assert unit.plan(current(active="activating", sub="auto-restart"), WANTED).summary() == ["start glance-api.service"]


def test_reload_serves_a_changed_file_but_not_a_new_version():
    want = copy.deepcopy(WANTED)
    want["units"][0]["reload"] = True
    changed = current(started_with={**STARTED_WITH, "/etc/g.conf": "old"})
    assert unit.plan(changed, want).summary() == ["reload glance-api.service"]
    upgraded = current(started_with={**STARTED_WITH, "package glance-api": "29"})
    assert unit.plan(upgraded, want).summary() == ["restart glance-api.service"]
    want["units"][0]["reload_packages"] = True
    assert unit.plan(upgraded, want).summary() == ["reload glance-api.service"], "a reload that takes versions too"


def test_stopped_unit():
    want = {"units": [{**WANTED["units"][0], "state": "stopped", "enabled": False}]}
    assert unit.plan(current(), want).summary() == ["stop glance-api.service", "disable glance-api.service"]
    assert not unit.plan(current(active="inactive", enabled=False), want)


@pytest.mark.parametrize(
    ("says", "verbs"), [("enabled", ["stop", "disable"]), ("disabled", ["stop"]), ("static", ["stop"])]
)
def test_what_starts_as_a_part_of_others_is_stopped_and_not_disabled(says: str, verbs: list[str]) -> None:
    """As systemd-modules-load.service: there is nothing of it to disable."""
    io = SimpleNamespace(
        run=lambda *_, **__: SimpleNamespace(out=f"ActiveState=active\nSubState=exited\nUnitFileState={says}\n"),
        read_text=lambda _: None,
    )
    want = {"units": [{**WANTED["units"][0], "state": "stopped", "enabled": False, "packages": []}]}
    stands = unit.read(io, {**unit.question(want), "paths": []})
    assert [change.action for change in unit.plan(stands, want)] == verbs


def test_a_unit_that_was_stopped_is_not_left_failed() -> None:
    """As one that had to be killed, because it did not end in time."""
    ran: list[list[str]] = []
    io = SimpleNamespace(run=lambda command, **_: ran.append(command[1:]))
    want = {"units": [{**WANTED["units"][0], "state": "stopped", "enabled": False}]}
    unit.apply(io, unit.plan(current(enabled=False), want))
    assert ran == [["daemon-reload"], ["stop", "glance-api.service"], ["reset-failed", "glance-api.service"]]


def test_only_files_without_a_digest_are_asked_for():
    assert unit.question(WANTED) == {
        "units": ["glance-api.service"],
        "paths": ["/etc/tls/host.pem"],
        "packages": ["glance-api"],
        "listens": {},
    }


def test_port_of_a_unit_that_does_not_run_must_be_free():
    bare = {
        "units": {"glance-api.service": {"taken": {"10.0.0.1:9292": "nginx (process 7)"}}},
        "files": {},
        "versions": {},
    }
    (finding,) = unit.plan(bare, WANTED).errors
    assert "10.0.0.1:9292" in finding.what
    assert "nginx" in finding.what


@contextlib.contextmanager
def listening(status: bytes) -> Iterator[str]:
    """A place that answers each connection with a status."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.sendall(b"HTTP/1.1 " + status + b"\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(("status", "serves"), [(b"200 OK", True), (b"503 Service Unavailable", False)])
def test_an_api_counts_when_it_serves_and_not_when_it_listens(status: bytes, serves: bool) -> None:
    with listening(status) as place:
        assert unit._answers(place)
        assert unit._answers(f"{place}/healthcheck") == serves


def test_nobody_is_asked_for_a_path_when_a_port_must_be_free():
    want = {"units": [{**WANTED["units"][0], "listens": ["10.0.0.1:9292/healthcheck"]}]}
    assert unit.question(want)["listens"] == {"glance-api.service": ["10.0.0.1:9292"]}
