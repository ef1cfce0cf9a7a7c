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


HOSTS = "10.0.0.9 nas\n"


def block(path, content="10.0.0.1 a\n", **more):
    return wanted({"path": str(path), "state": "block", "content": content, **more})


def test_a_block_keeps_what_others_wrote_and_goes_alone(tmp_path):
    path = tmp_path / "hosts"
    path.write_text(HOSTS)
    assert converge(block(path)).summary() == [f"update {path}"]
    assert path.read_text() == f"{file.BEGIN}10.0.0.1 a\n{file.END}{HOSTS}"
    path.write_text(path.read_text() + "10.0.0.8 printer\n")
    assert not file.plan(file.read(Host(), file.question(block(path))), block(path))
    shown = converge(block(path, "10.0.0.2 a\n")).diff()[0]
    assert "10.0.0.1 a" in shown["before"]
    assert "nas" not in shown["before"] + shown["after"]
    converge(block(path, ""))
    assert path.read_text() == f"{HOSTS}10.0.0.8 printer\n"
    assert not converge(block(path, ""))


def test_a_block_makes_the_file_and_no_empty_one(tmp_path):
    path = tmp_path / "hosts"
    assert not converge(block(path, ""))
    assert not path.exists()
    assert converge(block(path)).summary() == [f"create {path}"]
    assert path.read_text() == f"{file.BEGIN}10.0.0.1 a\n{file.END}"


def test_a_file_that_was_ours_as_a_whole_becomes_a_block(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("# Ours.\n10.0.0.1 old\n")
    converge(block(path, replaces="# Ours."))
    assert path.read_text() == f"{file.BEGIN}10.0.0.1 a\n{file.END}"


def test_lines_that_a_block_does_not_bear_go(tmp_path):
    path = tmp_path / "hosts"
    path.write_text(f"127.0.0.1 localhost\n127.0.1.1\ta\n{HOSTS}")
    converge(block(path, drop=r"127\.0\.1\.1\s"))
    assert path.read_text() == f"{file.BEGIN}10.0.0.1 a\n{file.END}127.0.0.1 localhost\n{HOSTS}"


def test_what_is_no_text_stays_as_it_is_around_a_block(tmp_path):
    path = tmp_path / "hosts"
    path.write_bytes(b"# caf\xe9\n")
    converge(block(path))
    assert path.read_bytes().endswith(f"{file.END}# caf".encode() + b"\xe9\n")


def test_a_block_without_its_end_is_made_anew(tmp_path):
    path = tmp_path / "hosts"
    path.write_text(f"{file.BEGIN}{HOSTS}")
    converge(block(path))
    assert path.read_text() == f"{file.BEGIN}10.0.0.1 a\n{file.END}{HOSTS}"


def test_the_mode_of_a_file_with_a_block_is_mended_too(tmp_path):
    path = tmp_path / "hosts"
    converge(block(path))
    path.chmod(0o666)
    assert "mode: 0640" in converge(block(path)).diff()[0]["after"]
