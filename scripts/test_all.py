#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the parts of the tests one after the other, and none again that passed for the same content; `make test-all`.

A part depends on files; that they passed is kept by a digest of them, in ``holdfast/tests.json`` below
``$XDG_CACHE_HOME`` (~/.cache), so that a fresh clone on the same machine profits too. The first part that fails ends
the run, and the next one goes on there. With ``--always`` all that is named runs, and what passes is kept all the same.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import datetime
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
KEPT = 20
"""How many digests of a part are kept: those of several branches and clones."""

LAB = (
    ".config/molecule", "Makefile", "ansible.cfg", "galaxy.yml", "meta", "playbooks", "plugins", "pyproject.toml",
    "requirements", "roles", "schema", "scripts", "tests/integration",
)  # fmt: skip
"""What every lab is made and tested by."""
SCENARIOS = (
    "molecule/conftest.py", "molecule/shared",
    "molecule/default/converge.yml", "molecule/default/create.yml", "molecule/default/destroy.yml",
)  # fmt: skip
"""What all scenarios share beyond it."""
NOT_THE_LABS = (
    "requirements/docs.in", "requirements/docs.txt",
    "requirements/functional.in", "requirements/functional.txt", "requirements/tempest.in", "requirements/tempest.txt",
    "scripts/docs_site.py", "scripts/finding_codes.py", "scripts/findings_page.py", "scripts/generate_docs.py",
    "scripts/lab-summary", "scripts/render", "scripts/swift_functional", "scripts/tempest", "scripts/test_all.py",
)  # fmt: skip
"""What no lab is made or tested by, of the above."""


@dataclass(frozen=True)
class Part:
    """What is run at once: a target of the Makefile, and whether it depends on a file, by its path in the checkout."""

    name: str
    target: tuple[str, ...]
    depends: Callable[[str], bool]
    needs_the_machine: bool = True
    """Whether nothing else may run beside it: a lab owns the machine."""


def below(path: str, places: Iterable[str]) -> bool:
    """Whether a path is one of the places, or in one of them."""
    return any(path == place or path.startswith(f"{place}/") for place in places)


def parts(scenarios: Mapping[str, str]) -> dict[str, Part]:
    """All parts by name, in their order. ``scenarios``: the text of the files of each, by its name."""

    def of_a_lab(*more: str) -> Callable[[str], bool]:
        return lambda path: below(path, (*LAB, *more)) and path not in NOT_THE_LABS

    found = [
        # It builds the site of the documentation, with the changelog.
        Part("lint", ("lint",), lambda path: True, needs_the_machine=False),
        # They look at the docs too.
        Part("unit", ("unit",), lambda path: True, needs_the_machine=False),
        Part("integration", ("integration",), of_a_lab("inventory/lab")),
    ]
    for name, text in sorted(scenarios.items()):
        inventories = re.findall(r"\binventory/[\w-]+", text)
        depends = of_a_lab(*SCENARIOS, f"molecule/{name}", *inventories)
        found.append(Part(name, ("molecule", f"SCENARIO={name}"), depends))
    return {part.name: part for part in found}


def digest(files: Mapping[str, str], depends: Callable[[str], bool]) -> str:
    """Of the files that a part depends on; ``files`` are digests of each, by path."""
    lines = [f"{path} {content}\n" for path, content in sorted(files.items()) if depends(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def passed(record: Mapping[str, Any], name: str, content: str) -> str:
    """The day on which a part passed for this content; empty when it did not."""
    return str(record.get(name, {}).get("passed", {}).get(content, ""))


def with_pass(record: Mapping[str, Any], name: str, content: str, seconds: float, day: str) -> dict[str, Any]:
    """The record with one more part that passed."""
    former = {key: value for key, value in record.get(name, {}).get("passed", {}).items() if key != content}
    latest = dict([*former.items(), (content, day)][-KEPT:])
    return {**record, name: {"seconds": round(seconds), "passed": latest}}


def forgotten(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without what passed. How long it took stays."""
    return {name: {**entry, "passed": {}} for name, entry in record.items()}


def took(record: Mapping[str, Any], name: str) -> int | None:
    """Seconds that a part last took; None when it never passed on this machine."""
    seconds = record.get(name, {}).get("seconds")
    return None if seconds is None else int(seconds)


def duration(seconds: float | None) -> str:
    """Time as a person reads it."""
    if seconds is None:
        return "unknown"
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def outlook(left: Sequence[str], kept: Sequence[str], record: Mapping[str, Any]) -> str:
    """What is left, and how long it takes by the last run."""
    lines = [f"Passed for this content, not run again: {', '.join(kept)}."] if kept else []
    if not left:
        return "\n".join([*lines, "Nothing is left. To run all again: make test-all FRESH=1"])
    known = [seconds for name in left if (seconds := took(record, name)) is not None]
    unknown = len(left) - len(known)
    told = ", ".join(f"{name} ({duration(took(record, name))})" for name in left)
    total = duration(sum(known)) if known else "unknown"
    more = f", and {unknown} more of which it is unknown" if known and unknown else ""
    return "\n".join([*lines, f"Left: {told}.", f"By the last run it takes: {total}{more}."])


def table(rows: Iterable[tuple[str, str, str]]) -> str:
    """Name, result and time of each part, in columns."""
    return "\n".join(
        f"{name:<16}{result:<28}{time_:>10}" for name, result, time_ in (("part", "result", "time"), *rows)
    )


# -- the machine ----------------------------------------------------------------------------------------------------


def files() -> dict[str, str]:
    """Digests of all files of the checkout that Git knows, or would; empty where there is no Git.

    What runs make is ignored by Git: a lab, secrets, addresses.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return {}
    found = {}
    for path in {path for path in listed.split("\0") if path}:
        place = ROOT / path
        if place.is_symlink():
            found[path] = f"-> {place.readlink()}"
        elif place.is_file():
            kind = "x" if os.access(place, os.X_OK) else "-"
            found[path] = f"{kind} {hashlib.sha256(place.read_bytes()).hexdigest()}"
    return found


def scenarios() -> dict[str, str]:
    """The text of the files of each scenario that say which inventory it has."""
    return {path.parent.name: path.read_text() for path in ROOT.glob("molecule/*/molecule.yml")}


def record_path() -> Path:
    """Where the record is."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast/tests.json"


def read_record(path: Path) -> dict[str, Any]:
    """The record; an empty one when there is none that can be read."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def change_record(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Change the record, which other checkouts may do at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        record = change(read_record(path))
        written = path.with_suffix(".new")
        written.write_text(json.dumps(record, indent=1) + "\n")
        written.replace(path)
    finally:
        os.close(directory)
    return record


def run(part: Part, path: Path, shown: IO[str] | None = None) -> tuple[int, float]:
    """Run a part; its status and seconds. It is recorded when it passed, and its files are still the same.

    ``shown`` takes what it prints; None lets it through.
    """
    before = digest(files(), part.depends)
    begun = time.monotonic()
    command = ["make", "--no-print-directory", *part.target]
    status = subprocess.run(command, cwd=ROOT, check=False, stdout=shown, stderr=shown).returncode
    seconds = time.monotonic() - begun
    after = files()
    if status == 0 and after and digest(after, part.depends) == before:
        day = datetime.date.today().isoformat()
        try:
            change_record(path, lambda record: with_pass(record, part.name, before, seconds, day))
        except OSError as error:
            print(f"It passed, and this is not recorded: {error}.")
    return status, seconds


def run_together(group: Sequence[Part], path: Path) -> list[tuple[int, float]]:
    """Run parts side by side; status and seconds of each. What each prints stands together, and comes as it ends."""
    if len(group) == 1:
        print(f"\n== {group[0].name}", flush=True)
        return [run(group[0], path)]
    print(f"\n== {', '.join(part.name for part in group)}: side by side", flush=True)

    def run_apart(part: Part) -> tuple[int, float]:
        with tempfile.TemporaryFile("w+", errors="replace") as shown:
            result = run(part, path, shown)
            shown.seek(0)
            print(f"\n== {part.name}\n{shown.read()}", end="", flush=True)
        return result

    with concurrent.futures.ThreadPoolExecutor(len(group)) as pool:
        return list(pool.map(run_apart, group))


def groups(left: Iterable[Part]) -> list[list[Part]]:
    """The parts in their order; those that follow each other, and need no machine for themselves, stand together."""
    found: list[list[Part]] = []
    for part in left:
        if found and not part.needs_the_machine and not found[-1][0].needs_the_machine:
            found[-1].append(part)
        else:
            found.append([part])
    return found


def run_all(left: Sequence[Part], kept: Sequence[str], path: Path) -> int:
    """Run parts until one fails, and say in the end what became of each. Returns the status of the last."""
    record = read_record(path)
    rows = [(name, "passed before", duration(took(record, name))) for name in kept]
    waiting = [part.name for part in left]
    status = 0
    try:
        for group in groups(left):
            for part, (ended, seconds) in zip(group, run_together(group, path), strict=True):
                status = status or ended
                waiting.remove(part.name)
                rows.append((part.name, "failed" if ended else "passed", duration(seconds)))
            if status:
                break
    finally:
        rows += [(name, "not run to the end", duration(took(record, name))) for name in waiting]
        print(f"\n{table(rows)}", flush=True)
    return status


def main() -> int:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__.split(";")[0])
    parser.add_argument("names", nargs="*", help="the parts, all by default")
    parser.add_argument("--always", action="store_true", help="run also what passed for the same content")
    parser.add_argument("--fresh", action="store_true", help="forget what passed")
    given = parser.parse_args()
    known, path = parts(scenarios()), record_path()
    if wrong := [name for name in given.names if name not in known]:
        parser.error(f"{', '.join(wrong)}: no such part. There are: {', '.join(known)}")
    record = change_record(path, forgotten) if given.fresh else read_record(path)
    content = files()
    if not content:
        print("This is no checkout of Git that can be read: all parts run, and none is recorded.")
    wanted = [known[name] for name in given.names or known]
    kept = [
        part.name
        for part in wanted
        if content and not given.always and passed(record, part.name, digest(content, part.depends))
    ]
    left = [part for part in wanted if part.name not in kept]
    print(outlook([part.name for part in left], kept, record), flush=True)
    try:
        return run_all(left, kept, path)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
