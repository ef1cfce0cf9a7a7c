# SPDX-License-Identifier: Apache-2.0
"""Exit 1 while a lab lives on this machine. The remains of a dead one are cleared by whoever comes next."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / ".collections"))

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import owner
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Host

found = owner.read(Host())
if found and found["processes"]:
    sys.exit(f"The lab in {found['state_dir']} is up, and there can be one at a time: make lab-down")
