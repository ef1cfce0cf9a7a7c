# SPDX-License-Identifier: Apache-2.0
"""Tests import the collection as Ansible does, through the link in .collections."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".collections"))
