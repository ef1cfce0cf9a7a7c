# SPDX-License-Identifier: Apache-2.0
"""What services stand on: database, message queue, certificates: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..subject import Subject
from . import expressions, own_certificate, rules, secrets, wants
from .kinds import certificate, database, message_queue

SUBJECT = Subject(
    name="foundations",
    kinds=(
        certificate,
        database,
        message_queue,
    ),
    wants={
        "certificate": wants.certificate,
        "database": wants.database,
        "message_queue": wants.message_queue,
    },
    expressions=expressions.names,
    outsiders=rules.outsiders,
    leaves=tuple(
        f"{certificate.DIRECTORY}/{name}" for name in ("host.key", "host.pem", "api.key", "api.pem", "ca.pem")
    ),
    secret_forms=secrets.FORMS,
    rules=rules_of(rules, own_certificate),
)
