# SPDX-License-Identifier: Apache-2.0
"""CephFS: the file systems of a cluster, each on pools of its own, and how many metadata servers are active for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Finding

Step = tuple[str, str, str, str, list[tuple[str, dict[str, Any]]]]
"""Subject, verb, before, after, and the commands with their arguments."""


def read(dump: Mapping[str, Any], pools: Mapping[int, str]) -> dict[str, dict[str, Any]]:
    """``{name: {metadata, data: [pools], max_mds}}`` from `fs dump`; ``pools`` are names by number."""
    maps = [entry["mdsmap"] for entry in dump["filesystems"]]
    return {
        entry["fs_name"]: {
            "metadata": pools.get(entry["metadata_pool"]),
            "data": [pools.get(number) for number in entry["data_pools"]],
            "max_mds": entry["max_mds"],
        }
        for entry in maps
    }


def plan(
    now: Mapping[str, Mapping[str, Any]], wanted: list[Mapping[str, Any]], findings: list[Finding]
) -> Iterator[Step]:
    """What makes file systems as they are wanted. One that is not wanted stays, and so do the pools of one that is."""
    for entry in wanted:
        name, metadata, data = entry["name"], entry["metadata_pool"], entry["data_pool"]
        active = entry.get("max_mds") or 1
        found = now.get(name)
        more = ("fs set", {"fs_name": name, "var": "max_mds", "val": str(active)})
        if found is None:
            after = f"metadata: {metadata}\ndata: {data}\nmax_mds: {active}"
            new = ("fs new", {"fs_name": name, "metadata": metadata, "data": data})
            # A new one has one active server.
            yield f"file system {name}", "create", "", after, [new, *([more] if active > 1 else [])]
        elif found["metadata"] != metadata or found["data"][:1] != [data]:
            what = (
                f"is on {found['metadata']} and {', '.join(map(str, found['data']))}, and not on {metadata} and {data}."
            )
            fix = "Name the pools that it has: the pools of a file system can not be changed."
            findings.append(Finding("error", "ceph_cluster.file-system", f"ceph_filesystems.{name}", what, fix))
        elif found["max_mds"] != active:
            before, after = f"max_mds: {found['max_mds']}", f"max_mds: {active}"
            yield f"file system {name}", "update", before, after, [more]
