# SPDX-License-Identifier: Apache-2.0
"""Where a compute host keeps disks of instances, and what that means for who has instances there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LOCAL, NFS, RBD = "local", "nfs", "rbd"

MEANS: Mapping[str, str] = {
    LOCAL: "an instance moves with a copy of its disks, and when the host is lost, so are they: nobody takes it over",
    NFS: "an instance moves without a copy, and another host takes it over when the host is lost; all of them wait "
    "while the server of the share is away",
    RBD: "an instance moves without a copy, and another host takes it over when the host is lost",
}
"""For moving instances, and for the loss of their host, as the end of a sentence."""


def chosen(host: Mapping[str, Any], deployment: Mapping[str, Any]) -> str:
    """``local``, ``nfs`` or ``rbd``, from the variables of a compute host and those of its deployment."""
    given = host.get("nova_ephemeral_storage")
    return str(given or (NFS if deployment.get("attach_instances_nfs") else LOCAL))
