# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import descriptions
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import secrets
from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone import fernet

DESCRIPTION = {
    "service": "glance",
    "database": {"name": "glance"},
    "message_queue": {"vhost": "glance"},
    "identity": {"user": {"name": "glance"}},
    "secrets": ["glance_memcache_key"],
}


def test_a_description_needs_the_secrets_of_what_it_has():
    assert secrets.required([DESCRIPTION, {"service": "other"}]) == [
        "glance_database_password",
        "glance_identity_password",
        "glance_memcache_key",
        "glance_message_queue_password",
    ]


def test_only_missing_secrets_are_made():
    made = secrets.complete({"a_password": "kept"}, ["a_password", "b_password"])
    assert made["a_password"] == "kept"
    assert list(made) == ["a_password", "b_password"]
    assert secrets.missing(made, ["a_password", "b_password"]) == []


def test_every_secret_that_the_roles_need_is_made_strong_and_distinct():
    names = secrets.required(description.content for description in descriptions())
    made = secrets.complete({}, names)
    assert secrets.weaknesses(made) == {}
    assert len(set(made.values())) == len(names) > 10


def test_generated_text_is_never_called_weak():
    for _ in range(3000):
        value = secrets.generate("some_password")
        assert secrets.weaknesses({"some_password": value}) == {}
        assert value.isalnum()


def test_forms():
    load_pem_private_key(secrets.generate("pki_ca_key").encode(), None)
    assert set(fernet.keys(secrets.generate("keystone_fernet_keys"))) == {"0", "1"}
    assert len(base64.b64decode(secrets.generate("swift_encryption_root_secret"))) == 32


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "empty"),
        (7, "not text"),
        ("hunter2", "less than 128 bits"),
        ("correct horse battery", "less than 128 bits"),
        ("changeme", "a default"),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "a default"),
        ("My-Secret-Password-For-This", "common word"),
        ("z" * 60, "repeats"),
        ("0123456789" * 4, "repeats"),
        ("BCDEFGHIJKLMNOPQRSTUVWXYZ[", "sequence"),
        ("ab12ab13ab14ab15ab16ab17", "less than 128 bits"),
        ("line\nbreak" * 5, "characters"),
    ],
)
def test_weak_secrets(value, reason):
    weakness = secrets.weaknesses({"name": value})["name"]
    assert reason in weakness
    assert not value or str(value) not in weakness
