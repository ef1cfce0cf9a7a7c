#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kill site.yml with SIGKILL at many points; each time one more run must converge, and the next change nothing.

Usage: kill.py INVENTORY [--points N] [--first SECONDS] [--last SECONDS] [--reset COMMAND]

The deployment starts from what it is: give ``--reset`` a command that makes the hosts bare again before each point.
The points spread evenly from first to last, in seconds after the start.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = ROOT / ".venv" / "bin" / "ansible-playbook"


def start(inventory: str) -> subprocess.Popen[str]:
    """site.yml in a process group of its own, its result as JSON on stdout."""
    environment = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    return subprocess.Popen(
        [PLAYBOOK, "-i", inventory, "playbooks/site.yml"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def changes(inventory: str) -> dict[str, int]:
    """Run site.yml to its end; the number of changes by host. Exits when it fails."""
    run = start(inventory)
    out, err = run.communicate()
    if run.returncode != 0:
        sys.exit(f"site.yml failed after a kill:\n{out[-4000:]}\n{err[-2000:]}")
    stats = json.loads(out[out.index("{") :])["stats"]
    return {host: counts["changed"] for host, counts in stats.items()}


def main() -> None:
    """Kill, converge, look; for each point."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("inventory")
    arguments.add_argument("--points", type=int, default=5)
    arguments.add_argument("--first", type=float, default=2.0)
    arguments.add_argument("--last", type=float, default=120.0)
    arguments.add_argument("--reset", help="command that makes the hosts bare again")
    options = arguments.parse_args()
    step = (options.last - options.first) / max(options.points - 1, 1)
    for number in range(options.points):
        point = options.first + number * step
        if options.reset:
            subprocess.run(shlex.split(options.reset), cwd=ROOT, check=True)
        run = start(options.inventory)
        time.sleep(point)
        finished = run.poll() is not None
        if not finished:
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        first, second = changes(options.inventory), changes(options.inventory)
        said = "had ended" if finished else "killed"
        print(f"{point:6.1f} s: {said}; next run changed {sum(first.values())}, the one after {sum(second.values())}")
        if any(second.values()):
            sys.exit(f"A converged deployment changed: {second}")
    print(f"{options.points} passed, 0 failed")


if __name__ == "__main__":
    main()
