# SPDX-License-Identifier: Apache-2.0
import grp
import os
import pwd

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import file
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Host

ME = {"owner": pwd.getpwuid(os.getuid())[0], "group": grp.getgrgid(os.getgid())[0]}


def wanted(*entries):
    return {"files": [{**ME, "mode": "0640", **entry} for entry in entries]}


def converge(want):
    io = Host()
    asked = {**file.question(want), "detail": True}
    plan = file.plan(file.read(io, asked), want)
    file.apply(io, plan)
    assert not file.plan(file.read(io, asked), want)
    return plan


def test_create_update_and_delete(tmp_path):
    path = str(tmp_path / "d" / "service.conf")
    directory = {"path": str(tmp_path / "d"), "state": "directory", "mode": "0750"}
    assert converge(wanted(directory, {"path": path, "content": "a\n"})).summary() == [
        f"create {tmp_path}/d",
        f"create {path}",
    ]
    assert (tmp_path / "d" / "service.conf").read_text() == "a\n"
    assert f"{os.stat(path).st_mode & 0o777:o}" == "640"
    assert converge(wanted({"path": path, "content": "b\n"})).summary() == [f"update {path}"]
    assert converge(wanted({"path": path, "content": "b\n", "mode": "0600"})).diff()[0]["after"] == "mode: 0600\n"
    assert converge(wanted({"path": path, "state": "absent"})).summary() == [f"delete {path}"]
    assert not os.path.exists(path)


def test_a_secret_file_that_goes_is_shown_by_its_digest(tmp_path):
    path = tmp_path / "cookie"
    path.write_text("QWERTYUIOP")
    plan = converge(wanted({"path": str(path), "state": "absent", "secret": True}))
    assert "QWERTYUIOP" not in repr(plan.diff())
    assert "secret, sha256" in plan.changes[0].before


def test_nothing_to_do_on_what_stands(tmp_path):
    want = wanted({"path": str(tmp_path / "x"), "content": "x\n"})
    converge(want)
    assert not file.plan(file.read(Host(), file.question(want)), want)


def test_link_replaces_file(tmp_path):
    path = tmp_path / "l"
    path.write_text("old")
    converge(wanted({"path": str(path), "state": "link", "target": "/etc/hostname"}))
    assert os.readlink(path) == "/etc/hostname"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[a]\npassword = first\n", "[a]\npassword = second\n"),
        ("connection = mysql://u:first@h/d\n", "connection = mysql://u:second@h/d\n"),
        ("transport_url = rabbit://u:first@h\n", "transport_url = rabbit://u:second@h\n"),
    ],
)
def test_diff_shows_that_a_secret_changes_but_not_the_secret(tmp_path, old, new):
    path = tmp_path / "c"
    path.write_text(old)
    (shown,) = file.plan(
        file.read(Host(), {"paths": [str(path)], "detail": True}), wanted({"path": str(path), "content": new})
    ).diff()
    assert shown["before"] != shown["after"]
    assert "first" not in str(shown)
    assert "second" not in str(shown)


def test_probe_answer_holds_digests_and_no_content(tmp_path):
    path = tmp_path / "c"
    path.write_text("secret-content")
    assert "secret-content" not in str(file.read(Host(), {"paths": [str(path)]}))


def test_a_secret_content_is_shown_by_its_digest_only():
    entry = {**ME, "path": "/s", "mode": "0400", "content": "hunter2\n", "secret": True}
    found = {"type": "file", **ME, "mode": "0640", "target": None, "sha256": "a" * 64, "text": "former\n"}
    for current in ({"/s": None}, {"/s": found}):
        plan = file.plan(current, {"files": [entry]})
        assert "secret, sha256" in plan.changes[0].after
        assert "hunter2" not in repr(plan.diff())
        assert "former" not in repr(plan.diff())
