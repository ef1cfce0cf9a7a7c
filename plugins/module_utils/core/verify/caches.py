# SPDX-License-Identifier: Apache-2.0
"""What services keep in caches and believe: nobody else may write it."""

from __future__ import annotations

from typing import Any

from .story import Scene, require

OWNER = "the service itself"
"""The attempt that has to succeed: where nobody can write, the others prove nothing."""


def written_by_nobody_else(scene: Scene, fact: str) -> dict[str, Any]:
    """Of the attempts of a host (module ``cache_access_info``), that of the service alone wrote an entry."""
    attempts = scene.told(fact, "attempts", "Nobody tried to write the cache")["attempts"]
    tried = {one["name"]: one for one in attempts if not one.get("absent")}
    own = tried.pop(OWNER, {"written": False, "said": "it did not try"})
    require(own["written"], f"The service itself could not write its cache: {own['said']}.")
    require(tried, "Nobody else tried to write the cache.")
    able = sorted(name for name, one in tried.items() if one["written"])
    require(not able, f"An entry that the service believes was written by {', '.join(able)}.")
    return {OWNER: own["said"], **{name: one["said"] for name, one in sorted(tried.items())}}
