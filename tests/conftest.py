# SPDX-License-Identifier: Apache-2.0
"""How the unit tests make up examples."""

import os

from hypothesis import settings

# A slow machine is no failure; and CI tries the same examples each time, so that a red run means a change.
settings.register_profile("holdfast", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("holdfast")
