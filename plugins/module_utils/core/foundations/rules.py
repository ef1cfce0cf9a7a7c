# SPDX-License-Identifier: Apache-2.0
"""Rules about what services stand on: certificates that outlive their renewal, clusters that can have a majority."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ..errors import Finding
from ..inventory.draft import Draft, listed, rule

_FILES = ("haproxy_certificate_file", "haproxy_key_file", "haproxy_ca_file")
# One member until clusters of them are built.
_SINGLE = ("mariadb",)
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


@rule
def even(draft: Draft) -> Iterator[Finding]:
    """A majority of the message queue's hosts is always on one side only."""
    members = draft.group("rabbitmq")
    if members and len(members) % 2 == 0:
        yield draft.error(
            "groups.even",
            ("rabbitmq",),
            f"The group rabbitmq has {len(members)} hosts: when half of them are away, the others stop too.",
            "Give it one, three or five hosts.",
        )


@rule
def single(draft: Draft) -> Iterator[Finding]:
    """Services that can not be clustered yet run on one host."""
    for group in _SINGLE:
        members = draft.group(group)
        if len(members) > 1:
            yield draft.error(
                "groups.single-only",
                (group,),
                f"The group {group} has {len(members)} hosts, and clusters of it are not built yet.",
                "Leave one host in the group.",
            )
