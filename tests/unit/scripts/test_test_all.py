# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys

import pytest

from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

SCRIPT = runpy.run_path(str(cases.ROOT / "scripts/test_all.py"))
DEFAULT = "inventory: ${MOLECULE_PROJECT_DIRECTORY}/inventory/lab"


def depends(name, path):
    found = SCRIPT["parts"]({"default": DEFAULT, "lvm": "hosts: storage1"})
    return found[name].depends(path)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("roles/cinder/service.yml", {"lint", "unit", "integration", "default", "lvm"}),
        ("requirements/functional.txt", {"lint", "unit"}),
        ("requirements/docs.txt", {"lint", "unit"}),
        ("scripts/finding_codes.py", {"lint", "unit"}),
        ("scripts/swift_functional", {"lint", "unit"}),
        ("docs/reference/flows.md", {"lint", "unit"}),
        ("requirements/dev.txt", {"lint", "unit", "integration", "default", "lvm"}),
        ("molecule/shared/lab_site.py", {"lint", "unit", "default", "lvm"}),
        ("molecule/default/create.yml", {"lint", "unit", "default", "lvm"}),
        ("molecule/default/tests/test_hosts.py", {"lint", "unit", "default"}),
        ("molecule/lvm/inventory/hosts.yml", {"lint", "unit", "lvm"}),
        ("molecule/lvm2/molecule.yml", {"lint", "unit"}),
        ("inventory/lab/hosts.yml", {"lint", "unit", "integration", "default"}),
        ("inventory/lab-metal/hosts.yml", {"lint", "unit"}),
        ("tests/unit/test_changelog.py", {"lint", "unit"}),
        ("scripts/test_all.py", {"lint", "unit"}),
        ("scripts/machine", {"lint", "unit", "integration", "default", "lvm"}),
        ("docs/lab.md", {"lint", "unit"}),
    ],
)
def test_a_file_is_of_the_parts_that_it_could_break(path, names):
    assert {name for name in ("lint", "unit", "integration", "default", "lvm") if depends(name, path)} == names


def test_every_scenario_is_a_part_and_finds_its_files():
    found = SCRIPT["parts"](SCRIPT["scenarios"]())
    assert [*found][:3] == ["lint", "unit", "integration"]
    assert {path.parent.name for path in cases.ROOT.glob("molecule/*/molecule.yml")} == {*found} - {*[*found][:3]}
    # What stands in a list of places is there.
    for place in (*SCRIPT["LAB"], *SCRIPT["SCENARIOS"], *SCRIPT["NOT_THE_LABS"]):
        assert (cases.ROOT / place).exists(), place


def test_a_digest_is_of_names_and_content_of_what_is_depended_on():
    digest = SCRIPT["digest"]
    files = {"a": "1", "b": "2"}
    same = digest(files, lambda path: path == "a")
    assert same == digest({"a": "1", "b": "3"}, lambda path: path == "a")
    assert len({same, digest({"a": "2"}, lambda path: True), digest({"c": "1"}, lambda path: True)}) == 3


def test_the_record_keeps_the_latest_contents_and_forgets_on_demand():
    record = {}
    for number in range(SCRIPT["KEPT"] + 1):
        record = SCRIPT["with_pass"](record, "lvm", str(number), 60.4, "2026-01-01")
    record = SCRIPT["with_pass"](record, "lvm", "1", 61, "2026-01-02")
    assert SCRIPT["passed"](record, "lvm", "1") == "2026-01-02"
    assert SCRIPT["passed"](record, "lvm", "0") == ""
    assert SCRIPT["passed"](record, "nfs", "1") == ""
    record = SCRIPT["forgotten"](record)
    assert (SCRIPT["passed"](record, "lvm", "1"), SCRIPT["took"](record, "lvm")) == ("", 61)


def test_what_is_left_and_how_long_it_takes_is_told():
    record = {"lvm": {"seconds": 1200, "passed": {}}, "lint": {"seconds": 40, "passed": {}}}
    said = SCRIPT["outlook"](["lvm", "lint", "nfs"], ["unit"], record)
    assert said.splitlines() == [
        "Passed for this content, not run again: unit.",
        "Left: lvm (20 min), lint (40 s), nfs (unknown).",
        "By the last run it takes: 21 min, and 1 more of which it is unknown.",
    ]
    assert "Nothing is left" in SCRIPT["outlook"]([], ["unit"], record)
    assert [SCRIPT["duration"](seconds) for seconds in (None, 89, 100, 5400)] == [
        "unknown",
        "89 s",
        "2 min",
        "1 h 30 min",
    ]


def checkout(tmp_path):
    """A checkout of Git with this script and targets that note that they ran."""
    (tmp_path / "scripts").mkdir(parents=True)
    (tmp_path / "scripts/test_all.py").write_text((cases.ROOT / "scripts/test_all.py").read_text())
    (tmp_path / ".gitignore").write_text("ran\nsecrets.yml\n")
    (tmp_path / "molecule/small").mkdir(parents=True)
    (tmp_path / "molecule/small/molecule.yml").write_text("{}\n")
    recipe = "\t@echo $@ $(SCENARIO) >> ran\n"
    (tmp_path / "Makefile").write_text(
        f".PHONY: molecule\nlint unit integration:\n{recipe}molecule:\n{recipe}\t@! test -e broken\n"
    )
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


def run(place, cache, *arguments):
    """The status, what ran, and what was said."""
    (place / "ran").unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(
        [sys.executable, place / "scripts/test_all.py", *arguments],
        env={**environment, "XDG_CACHE_HOME": str(cache)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    ran = (place / "ran").read_text().split("\n")[:-1] if (place / "ran").exists() else []
    return done.returncode, [line.strip() for line in ran], done.stdout


def test_a_run_goes_on_where_the_former_failed_and_runs_nothing_twice(tmp_path):
    place, cache = checkout(tmp_path / "one"), tmp_path / "cache"
    (place / "broken").touch()
    status, ran, said = run(place, cache)
    assert (status != 0, sorted(ran[:2]), ran[2:]) == (True, ["lint", "unit"], ["integration", "molecule small"])
    assert "small           failed" in said
    (place / "broken").unlink()
    (place / "secrets.yml").write_text("made by a run\n")
    status, ran, said = run(place, cache)
    # lint and unit look at everything, so the file that went is a change for them.
    assert (status, {*ran}, ran[-1]) == (0, {"lint", "unit", "molecule small"}, "molecule small")
    assert "integration     passed before" in said
    assert run(place, cache)[:2] == (0, [])
    assert {*json.loads((cache / "holdfast/tests.json").read_text())} == {"lint", "unit", "integration", "small"}
    assert run(place, cache, "--always", "lint")[:2] == (0, ["lint"])
    assert {*run(place, cache, "--fresh")[1]} == {"lint", "unit", "integration", "molecule small"}
    status, ran, said = run(place, cache, "nothing")
    assert (status, ran) == (2, [])


def test_what_needs_no_machine_runs_side_by_side_and_is_shown_apart(tmp_path):
    place = checkout(tmp_path / "one")
    # Each waits until the other has begun: one after the other they would not end well.
    meets = "\t@touch $@; for i in $$(seq 100); do test -e $(OTHER) && break; sleep 0.1; done; test -e $(OTHER)\n"
    says = "\t@for i in 1 2 3; do echo said by $@; done\n"
    (place / "Makefile").write_text(
        f"lint: OTHER = unit\nunit: OTHER = lint\n.PHONY: lint unit\nlint unit:\n{meets}{says}\t@test $@ != unit\n"
    )
    status, _, said = run(place, tmp_path / "cache", "lint", "unit")
    assert status != 0
    assert "\n== lint\nsaid by lint\nsaid by lint\nsaid by lint\n" in said
    assert "\n== unit\nsaid by unit\nsaid by unit\nsaid by unit\n" in said
    assert "lint            passed" in said
    assert "unit            failed" in said


def test_a_clone_elsewhere_profits_and_a_changed_file_does_not(tmp_path):
    first, second, cache = checkout(tmp_path / "one"), checkout(tmp_path / "two"), tmp_path / "cache"
    assert run(first, cache, "small")[1] == ["molecule small"]
    assert run(second, cache, "small")[1] == []
    (second / "molecule/small/converge.yml").write_text("[]\n")
    assert run(second, cache, "small")[1] == ["molecule small"]
    assert run(first, cache, "small")[1] == []


def test_without_git_all_runs(tmp_path):
    place = checkout(tmp_path / "one")
    (place / ".git").rename(tmp_path / "git")
    for _ in range(2):
        status, ran, said = run(place, tmp_path / "cache", "lint")
        assert (status, ran) == (0, ["lint"])
        assert "none is recorded" in said
