# SPDX-License-Identifier: Apache-2.0
"""Rules about hosts with instances."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from ..errors import Finding
from ..inventory.directories import overlap, why_taken
from ..inventory.draft import Draft, entries, rule
from ..inventory.shares import Use
from ..nfs import named_shares

# The service's own, beside instances.
_OWN = re.compile(r"/var/lib/nova/(\.[^/]+|mnt|tmp|keys|networks|CA|buckets|locks?)(/.*)?")

NFS, PATH = "attach_instances_nfs", "attach_instances_path"


def shares(draft: Draft) -> Iterator[Use]:
    """The share of instances."""
    if draft.variables.get(NFS) and draft.group("nova_compute"):
        yield Use(draft.variables[NFS], (NFS,), "nova", NFS)


@rule
def directory(draft: Draft) -> Iterator[Finding]:
    """Instances are kept neither among the system's files nor with another service's."""
    path, hosts = draft.variables.get(PATH), draft.group("nova_compute")
    if not path or not hosts:
        return
    taken = why_taken(draft.domain, path, "nova") or named_shares.served(draft, path, hosts)
    taken = taken or ("where nova has other things" if _OWN.fullmatch(posixpath.normpath(path)) else "")
    for index, store in entries(draft.variables.get("glance_stores")):
        beside = any("glance_api" in host.groups for host in hosts)
        if beside and "path" in store and overlap(path, store["path"]):
            taken = taken or f"which overlaps {store['path']!r} of glance_stores[{index}]"
    if taken:
        yield draft.error(
            "attach.instances-path",
            (PATH,),
            f"is {path!r}, {taken}.",
            "Give a directory of its own, such as /var/lib/nova/instances.",
        )
