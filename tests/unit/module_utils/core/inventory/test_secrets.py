# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import known_secrets
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import secrets
from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone import fernet
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import SECRET_FORMS

DESCRIPTION = {
    "service": "glance",
    "databases": [{"name": "glance"}, {"name": "glance_api"}],
    "message_queue": {"vhost": "glance"},
    "identity": {"users": [{"name": "glance"}, {"name": "glance_domain_admin"}]},
    "secrets": {"glance_memcache_key": "base64"},
}


def test_a_description_needs_the_secrets_of_what_it_has():
    found = secrets.required([DESCRIPTION, {"service": "other"}], secrets.FORMS)
    assert {name: next(form for form in secrets.FORMS if secrets.FORMS[form] is found[name]) for name in found} == {
        "glance_api_database_password": "text",
        "glance_database_password": "text",
        "glance_domain_admin_identity_password": "text",
        "glance_identity_password": "text",
        "glance_memcache_key": "base64",
        "glance_message_queue_password": "text",
    }


def test_a_form_that_there_is_not_is_refused_with_the_nearest():
    described = {"service": "glance", "secrets": {"glance_memcache_key": "base46"}}
    with pytest.raises(HoldfastError, match=r"glance: secrets\.glance_memcache_key: .*'base46'.* Did you mean base64"):
        secrets.required([described], secrets.FORMS)


def test_only_missing_secrets_are_made():
    needed = {"a_password": secrets.TEXT, "b_password": secrets.TEXT}
    made = secrets.complete({"a_password": "kept"}, needed)
    assert made["a_password"] == "kept"
    assert list(made) == ["a_password", "b_password"]
    assert secrets.missing(made, needed) == []


def test_every_secret_that_the_roles_need_is_made_strong_and_distinct():
    needed = known_secrets()
    made = secrets.complete({}, needed)
    assert secrets.weaknesses(made, needed) == {}
    assert len(set(made.values())) == len(needed) > 10


@pytest.mark.parametrize("form", SECRET_FORMS)
def test_a_placeholder_is_the_same_each_time_and_another_for_each_name(form):
    make = SECRET_FORMS[form].placeholder
    assert make("one") == make("one") != make("other")


def test_generated_text_is_never_called_weak():
    for _ in range(3000):
        value = secrets.TEXT.make()
        assert secrets.weaknesses({"some_password": value}, {"some_password": secrets.TEXT}) == {}
        assert value.isalnum()


def test_forms():
    load_pem_private_key(SECRET_FORMS["ec_key"].make().encode(), None)
    assert set(fernet.keys(SECRET_FORMS["fernet_keys"].make())) == {"0", "1"}
    assert len(base64.b64decode(SECRET_FORMS["base64"].make())) == 32
    assert len(bytes.fromhex(SECRET_FORMS["hexadecimal"].make())) == 32
    assert [name for name, form in SECRET_FORMS.items() if form.is_public] == ["uuid"]


@pytest.mark.parametrize("form", sorted(set(SECRET_FORMS) - {"text"}))
def test_a_text_is_no_secret_of_another_form(form):
    assert secrets.weaknesses({"name": "x7Qm2Lk9Wc4Rt8Yb3Nf6Vp1Zs5Hd0JgAqEuTiOk"}, {"name": SECRET_FORMS[form]})


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
    weakness = secrets.weaknesses({"name": value}, {"name": secrets.TEXT})["name"]
    assert reason in weakness
    assert not value or str(value) not in weakness


def test_a_secret_does_not_name_its_service():
    value = "Glance7Qm2Lk9Wc4Rt8Yb3Nf6Vp1Z"
    names = ("glance_database_password", "other_database_password")
    found = dict.fromkeys(names, value)
    weak = secrets.weaknesses(found, dict.fromkeys(names, secrets.TEXT))
    assert weak == {"glance_database_password": "is a default, or contains a common word"}
    # What another device or the site chose is as it is.
    assert secrets.weaknesses(found, {}) == {}
