#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kill site.yml with SIGKILL in each of its phases, run after run; then it must converge, and the next change nothing.

Usage: kill.py INVENTORY [--after SECONDS ...]

The deployment starts from what it is: on bare hosts there is something to do in every phase. What a killed run left
running, on the hosts and of Ansible's own processes, goes on while the next run begins.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = ROOT / ".venv" / "bin" / "ansible-playbook"
ENVIRONMENT = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_FORCE_COLOR": "0"}


@contextmanager
def site(inventory: str) -> Iterator[subprocess.Popen[str]]:
    """site.yml in a process group of its own, killed at the end if it still runs."""
    run = subprocess.Popen(
        [PLAYBOOK, "-i", inventory, "playbooks/site.yml"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield run
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()


def phases(run: subprocess.Popen[str], said: list[str]) -> Iterator[str]:
    """The names of the plays that have a task, each when its first task starts. Collects what the run says."""
    assert run.stdout
    play = ""
    for line in run.stdout:
        said.append(line)
        if found := re.match(r"PLAY \[(.+)\]", line):
            play = found[1]
        elif line.startswith("TASK [") and play:
            yield play
            play = ""


def kill(inventory: str, moments: list[float], kills: Counter[str]) -> str | None:
    """Kill a run in the first phase in which fewer were killed than there are moments; when, and in which.

    ``moments`` are seconds after the phase began. None when the run ended, as no phase was left.
    """
    said: list[str] = []
    with site(inventory) as run:
        for phase in phases(run, said):
            if kills[phase] < len(moments):
                moment = moments[kills[phase]]
                kills[phase] += 1
                with contextlib.suppress(subprocess.TimeoutExpired):
                    run.wait(moment)
                if run.returncode is None:
                    return f"killed {moment:g} s into {phase}"
                if run.returncode == 0:
                    return f"ended within {moment:g} s of {phase}"
                break
        said += run.stdout or ()
        if run.wait() != 0:
            sys.exit(f"It does not converge after it was killed:\n{''.join(said)[-6000:]}")
    return None


def changes(inventory: str) -> dict[str, int]:
    """Run site.yml to its end; the number of changes by host. Exits when it fails."""
    with site(inventory) as run:
        said, _ = run.communicate()
    found = re.findall(r"^(\S+) .*\bchanged=(\d+)", said, re.MULTILINE)
    if run.returncode != 0 or not found:
        sys.exit(f"It converged, and does not again:\n{said[-6000:]}")
    return {host: int(count) for host, count in found}


def main() -> None:
    """Kill in phase after phase, let it converge, look once more."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("inventory")
    arguments.add_argument(
        "--after", type=float, nargs="+", default=[3.0], metavar="SECONDS", help="moments of each phase (default: 3)"
    )
    options = arguments.parse_args()
    kills: Counter[str] = Counter()
    while done := kill(options.inventory, options.after, kills):
        print(done, flush=True)
    if changed := {host: count for host, count in changes(options.inventory).items() if count}:
        sys.exit(f"A converged deployment changed: {changed}")
    if not kills.keys() - {"Check", "Plan", "Unlock"}:
        sys.exit("The deployment had converged already: there was no phase to kill a run in.")
    print(f"{kills.total()} runs did not end, or hardly; one converged, and then nothing changed.")


if __name__ == "__main__":
    main()
