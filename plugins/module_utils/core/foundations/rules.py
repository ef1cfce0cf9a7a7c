# SPDX-License-Identifier: Apache-2.0
"""Rules about what services stand on: certificates that outlive their renewal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from ..errors import Finding
from ..inventory.draft import Draft, rule
from ..inventory.schema import KeyPath

_CLOCKS = "chrony_servers"
_DAYS = ("pki_renew_before_days", "pki_certificate_days", "pki_ca_days")


def outsiders(variables: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    """Time servers."""
    servers = variables.get(_CLOCKS)
    for index, server in enumerate(servers if isinstance(servers, list) else ()):
        yield (_CLOCKS, index), server


@rule
def lifetimes(draft: Draft) -> Iterator[Finding]:
    """Certificates are renewed before they end, and end before their CA."""
    for shorter, longer in pairwise(_DAYS):
        few, many = draft.variables.get(shorter), draft.variables.get(longer)
        if few is not None and many is not None and few >= many:
            yield draft.error(
                "certificates.days",
                (shorter,),
                f"is {few}, and has to be less than {longer}, which is {many}.",
                f"Lower {shorter}, or raise {longer}.",
            )
