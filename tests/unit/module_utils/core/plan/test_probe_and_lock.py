# SPDX-License-Identifier: Apache-2.0
import json
import multiprocessing
import os
import pwd
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.controller import deployment
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import lock, probe
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import ORDER
from ansible_collections.holdfast.storage.plugins.module_utils.host import local as host
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Host


def asked(questions, request=None):
    kinds = {step.name: step.module for step in ORDER.steps if step.name in questions}
    names = {name: probe.below(kind) for name, kind in kinds.items()}
    script = probe.script(deployment.probe_bundle(kinds.values()), names, questions, request)
    done = subprocess.run([sys.executable, "-I", "-S", "-"], input=script, capture_output=True, text=True, check=True)
    return probe.answer("Welcome!\n" + done.stdout)


def test_probe_reads_with_the_standard_library_only(tmp_path):
    path = tmp_path / "x"
    path.write_text("x")
    answer = asked({"services/file": {"paths": [str(path), "/nowhere"]}})
    assert answer["services/file"][str(path)]["type"] == "file"
    assert answer["services/file"]["/nowhere"] is None


def test_probe_says_which_kind_could_not_be_read():
    answer = asked({"services/file": {"wrong": []}, "identity/file": {"paths": []}})
    assert answer["services/file"] == {"error": "KeyError: 'paths'"}
    assert answer["identity/file"] == {}


@pytest.mark.parametrize("step", ORDER.steps, ids=lambda step: step.name)
def test_what_is_sent_for_a_kind_is_all_that_it_imports(step):
    names = probe.modules([step.module], deployment._source)
    script = probe.script(deployment.probe_bundle([step.module]), {}, {}).partition("io = load")[0]
    loads = "".join(f"load({name.replace('/', '.')!r})\n" for name in names)
    subprocess.run([sys.executable, "-I", "-S", "-"], input=script + loads, text=True, check=True)


@pytest.mark.parametrize(
    "text",
    [
        "from .. import errors, change\n",
        "from .. import (  # why\n    errors,\n    change,\n)\n",
        "from .. import errors, change  # why\n",
    ],
)
def test_imports_are_found_however_they_are_written(text):
    sources = {"host/local": "", "core/plan/lock": text, "core/errors": "", "core/change": ""}
    assert {"core/errors", "core/change"} <= set(probe.modules([], sources.get))


def release(holder):
    subprocess.run(lock.release(holder), shell=True, check=False)


def test_lock_is_refused_taken_over_and_released(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATH", str(tmp_path / "lock.json"))
    io, ours, theirs = Host(), {"pid": 1, "started": "5"}, {"pid": 2, "started": "6"}
    assert lock.take(io, {"holder": ours}) is None
    assert lock.take(io, {"holder": ours}) is None
    assert lock.take(io, {"holder": theirs}) == ours
    assert json.loads((tmp_path / "lock.json").read_text()) == ours
    assert lock.take(io, {"holder": theirs, "stale": ours}) is None
    release(ours)
    assert lock.current(io) == theirs
    release(theirs)
    assert lock.current(io) is None


STALE = {"pid": 3, "started": "1"}


@pytest.mark.parametrize("stale", [None, STALE], ids=["free", "stale"])
def test_of_runs_that_ask_at_the_same_moment_one_has_the_lock(tmp_path, monkeypatch, stale):
    monkeypatch.setattr(lock, "PATH", str(tmp_path / "lock.json"))
    if stale:
        lock.take(Host(), {"holder": stale})

    class Slow(Host):
        def remove(self, path):
            time.sleep(0.05)
            super().remove(path)

    def fdopen(*arguments, opened=os.fdopen):
        time.sleep(0.05)
        return opened(*arguments)

    monkeypatch.setattr(host.os, "fdopen", fdopen)
    holders = [{"pid": number, "started": "5"} for number in range(10, 14)]
    with ThreadPoolExecutor(len(holders)) as pool:
        answers = list(pool.map(lambda holder: lock.take(Slow(), {"holder": holder, "stale": stale}), holders))
    (winner,) = [holder for holder, answer in zip(holders, answers, strict=True) if answer is None]
    assert answers.count(winner) == len(holders) - 1
    assert lock.current(Host()) == winner


@pytest.mark.parametrize("left", ["", '{"pid": 2, "sta'])
def test_a_lock_that_says_nothing_is_nobodys(tmp_path, monkeypatch, left):
    monkeypatch.setattr(lock, "PATH", str(tmp_path / "lock.json"))
    (tmp_path / "lock.json").write_text(left)
    io, ours, theirs = Host(), {"pid": 1, "started": "5"}, {"pid": 2, "started": "6"}
    assert lock.take(io, {"holder": ours}) is None
    assert lock.current(io) == ours
    assert lock.take(io, {"holder": theirs}) == ours


def test_a_lock_that_is_given_back_while_it_is_asked_for_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATH", str(tmp_path / "lock.json"))
    io, ours, theirs = Host(), {"pid": 1, "started": "5"}, {"pid": 2, "started": "6"}
    assert lock.take(io, {"holder": theirs}) is None
    create = io.create

    def and_it_goes(path, content):
        made = create(path, content)
        release(theirs)
        return made

    monkeypatch.setattr(io, "create", and_it_goes)
    assert lock.take(io, {"holder": ours}) is None
    assert lock.current(io) == ours


def test_a_holder_has_the_name_of_a_user_whatever_the_environment_says(monkeypatch):
    for name in ("SUDO_USER", "USER"):
        monkeypatch.delenv(name, raising=False)
    assert deployment.holder("site.yml")["user"] == pwd.getpwuid(os.getuid()).pw_name


def test_a_process_whose_run_was_killed_is_refused_and_holds_no_lock(tmp_path):
    """With real ones, made as Ansible makes those for tasks."""
    fork = multiprocessing.get_context("fork")
    refused = tmp_path / "refused"

    def task():
        deployment.refuse_orphan()
        (tmp_path / "begun").touch()
        while os.getppid() == multiprocessing.parent_process().pid:
            time.sleep(0.01)
        for what in (deployment.refuse_orphan, lambda: deployment.holder("site.yml")):
            with pytest.raises(HoldfastError, match="is gone"):
                what()
        refused.touch()

    def run():
        fork.Process(target=task).start()
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)

    killed = fork.Process(target=run)
    killed.start()
    killed.join()
    deadline = time.monotonic() + 10
    while not refused.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert refused.exists()


def test_a_holder_is_stale_only_when_its_process_is_gone():
    held = deployment.holder("site.yml")
    assert held["pid"] == os.getppid()
    assert not deployment.is_stale(held)
    assert deployment.is_stale({**held, "started": "0"})
    assert deployment.is_stale({**held, "boot": "earlier"})
    assert not deployment.is_stale({**held, "machine": "another", "started": "0"})


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param({"controller": "twin", "boot": "another"}, id="a copy of this machine"),
        pytest.param({"namespace": "pid:[1]", "started": "0"}, id="a container, whose processes are not seen here"),
    ],
)
def test_a_holder_that_cannot_be_seen_from_here_is_not_stale(elsewhere):
    assert not deployment.is_stale({**deployment.holder("site.yml"), **elsewhere})


def test_a_second_run_of_this_controller_is_refused_while_the_first_lives(tmp_path):
    run = deployment.RunDirectory(tmp_path)
    run.refuse_second()
    run.write("lock.json", {"host": "control1", "holder": None})
    run.refuse_second()
    other = {**deployment.holder("site.yml"), "pid": os.getpid(), "started": deployment._started(os.getpid())}
    run.write("lock.json", {"host": "control1", "holder": other})
    with pytest.raises(HoldfastError, match=r"site\.yml"):
        run.refuse_second()
    run.write("lock.json", {"host": "control1", "holder": {**other, "started": "0"}})
    run.refuse_second()


def test_changes_on_a_host_wait_for_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "CHANGE_LOCK", str(tmp_path / "run" / "change.lock"))
    with Host().alone(), pytest.raises(HoldfastError, match="under way"), Host().alone(seconds=0.3):
        raise AssertionError("two changes at once")
    with Host().alone(seconds=0):
        pass
