# SPDX-License-Identifier: Apache-2.0
"""Tests import the collection as Ansible does, through the link in .collections."""

import os
import sys
from pathlib import Path

from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".collections"))

# A slow machine is no failure; and CI tries the same examples each time, so that a red run means a change.
settings.register_profile("holdfast", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("holdfast")
