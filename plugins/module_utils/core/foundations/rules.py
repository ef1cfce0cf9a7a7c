# SPDX-License-Identifier: Apache-2.0
"""Rules about what services stand on: the site's own certificate, and certificates that outlive their renewal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from ..errors import Finding
from ..inventory.draft import Draft, listed, rule
from ..inventory.schema import KeyPath

_FILES = ("haproxy_certificate_file", "haproxy_key_file", "haproxy_ca_file")
_CLOCKS = "chrony_servers"
_DAYS = ("pki_renew_before_days", "pki_certificate_days", "pki_ca_days")


@rule
def own_certificate(draft: Draft) -> Iterator[Finding]:
    """The site's own certificate comes with its key and CA, and the files are there."""
    given = [name for name in _FILES if draft.variables.get(name)]
    missing = [name for name in _FILES if not draft.variables.get(name) and not draft.was_refused((name,))]
    if given and missing:
        yield draft.error(
            "certificates.incomplete",
            (missing[0],),
            f"is empty, and {listed(given)} {'is' if len(given) == 1 else 'are'} given.",
            f"Give {', '.join(_FILES)}, or none of them.",
        )
    for name in given:
        if not draft.exists(draft.variables[name]):
            yield draft.error(
                "certificates.file",
                (name,),
                f"is {draft.variables[name]!r}, and there is no such file on the controller.",
                "Give the path of the file; a relative one starts at the inventory.",
            )


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
