# SPDX-License-Identifier: Apache-2.0
"""The stories against the real APIs, with a storage host lost and back: what later tests look at has lived."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])


def test_all_stories_hold_and_no_secret_stands_where_none_belongs() -> None:
    scan = [sys.executable, str(ROOT / "tests" / "integration" / "secret_scan.py")]
    done = subprocess.run(scan, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
