# SPDX-License-Identifier: Apache-2.0
"""Rules about hosts with instances."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..inventory.draft import Draft, rule
from ..nfs import clients


@rule
def instances(draft: Draft) -> Iterator[Finding]:
    """Where instances are kept over NFS, their share is there for them."""
    text = draft.variables.get("attach_instances_nfs")
    if text and draft.group("nova_compute"):
        yield from clients.share(draft, ("attach_instances_nfs",), text, "nova", None)
