# SPDX-License-Identifier: Apache-2.0
"""A certificate as a secret of the deployment."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations import secrets

FORM = secrets.FORMS["client_certificate"]


def test_the_certificate_is_that_of_the_key_and_has_no_end() -> None:
    value = FORM.make()
    found = x509.load_pem_x509_certificate(secrets.certificate_of(value).encode())
    assert found.public_key() == load_pem_private_key(value.encode(), None).public_key()
    found.verify_directly_issued_by(found)
    assert found.not_valid_after_utc.year == 9999
    assert found.not_valid_before_utc < datetime.datetime.now(datetime.UTC)


def test_the_certificate_has_no_key_in_it() -> None:
    assert "PRIVATE" not in secrets.certificate_of(FORM.make())


def test_what_is_weak() -> None:
    value = FORM.make()
    assert FORM.weakness("x", value) is None
    # As an editor leaves it in the vault file.
    assert FORM.weakness("x", value.strip()) is None
    assert secrets.certificate_of(value.strip()) == secrets.certificate_of(value)
    assert FORM.weakness("x", secrets.certificate_of(value))
    assert FORM.weakness("x", value.partition("-----BEGIN CERTIFICATE-----")[0])
    assert FORM.weakness("x", FORM.placeholder("x")) is None
    assert secrets.certificate_of("no certificate") == ""
