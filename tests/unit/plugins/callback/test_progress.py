# SPDX-License-Identifier: Apache-2.0
"""The callback in a real run of ansible-playbook: what it prints, logs and leaves for machines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
PLAYBOOK = """
- name: Nobody
  hosts: nobody
  gather_facts: false
  tasks: [{ping: }]
- name: First phase
  hosts: all
  gather_facts: false
  tasks:
    - name: Quiet
      assert: {that: true}
    - name: Skipped
      assert: {that: true}
      when: false
    - name: Secret
      set_fact: {x: hunter2}
      no_log: true
    - name: Loud
      debug: {msg: "one\\ntwo"}
      run_once: true
    - name: Wrong
      fail: {msg: "It is broken."}
      when: inventory_hostname == 'b'
- name: Several
  hosts: a
  gather_facts: false
  tasks:
    - include_tasks: more.yml
      loop: [{name: Of one}, {name: Of another}]
      loop_control: {loop_var: holdfast_phase}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("progress")
    (place / "site.yml").write_text(PLAYBOOK)
    (place / "more.yml").write_text("- assert: {that: true}\n- assert: {that: true}\n")
    (place / "ansible.cfg").write_text("[defaults]\nnocolor = true\n")
    (place / "hosts").write_text(
        "[all]\na\nb\n[nobody]\n[all:vars]\nansible_connection=local\n"
        f"ansible_python_interpreter={sys.executable}\nholdfast_artifacts_dir={{{{ inventory_dir }}}}/out\n"
    )
    environment = {
        **os.environ,
        "ANSIBLE_STDOUT_CALLBACK": "holdfast.storage.progress",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_CONFIG": str(place / "ansible.cfg"),
        "ANSIBLE_LOCAL_TEMP": str(place / "tmp"),
    }
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", "hosts", "site.yml"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    return done, place / "out" / "log"


def test_plain_lines_tell_phases_failures_and_the_end(run):
    done, _ = run
    assert done.returncode == 2
    assert "Nobody" not in done.stdout
    assert "First phase\n" in done.stdout
    assert "    failed   b  Wrong\n      It is broken.\n" in done.stdout
    assert "      one\n      two\n" in done.stdout
    assert "Quiet" not in done.stdout.split("Slowest")[0]
    assert "14 task results, at most 10 on a host" in done.stdout


def test_the_log_has_every_result_and_no_secret_and_is_private(run):
    done, directory = run
    (log,) = directory.glob("*-site.log")
    lines = log.read_text().splitlines()
    assert len(lines) == 14
    assert sum(" skipped " in line for line in lines) == 3
    assert "hunter2" not in log.read_text() + done.stdout
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_summary_counts_for_machines(run):
    _, directory = run
    (path,) = directory.glob("*-site.json")
    summary = json.loads(path.read_text())
    assert summary["playbook"] == "site"
    assert summary["ok"] is False
    assert [phase["name"] for phase in summary["phases"]] == ["First phase", "Several", "Of one", "Of another"]
    assert [phase["hosts"] for phase in summary["phases"]] == [2, 1, 1, 1]
    assert summary["hosts"]["b"]["failed"] == 1
    assert summary["hosts"]["a"]["results"] == 10
