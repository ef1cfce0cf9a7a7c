# SPDX-License-Identifier: Apache-2.0
"""Identity: what the subject hands in."""

from __future__ import annotations

from ..inventory.draft import rules_of
from ..subject import Subject
from ..verify import people
from ..verify.chapter import Chapter
from . import expressions, rules, secrets, stories, tempest, wants
from .kinds import catalog, fernet_repository

SUBJECT = Subject(
    name="keystone",
    kinds=(
        catalog,
        fernet_repository,
    ),
    wants={
        "catalog": wants.catalog,
        "fernet_repository": wants.fernet_repository,
    },
    expressions=expressions.names,
    secret_forms=secrets.FORMS,
    secrets=rules.secrets,
    rules=rules_of(rules),
    chapter=Chapter(
        group="keystone",
        stories=lambda facts: stories.STORIES,
        facts=stories.facts,
        sweep=people.sweep,
        tests=tempest.TESTS,
    ),
)
