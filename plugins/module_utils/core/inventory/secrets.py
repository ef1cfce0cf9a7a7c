# SPDX-License-Identifier: Apache-2.0
"""Secrets: which are needed, how they are made, and which are too weak. They are values here and never shown."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import secrets as random
import string
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..ceph import values as ceph
from ..keystone import fernet

BITS = 128
"""What a secret has at least, as far as its characters can tell."""

_ALPHABET = string.ascii_letters + string.digits
# 43 of 62 characters are 256 bits.
_LENGTH = 43

_WORDS = re.compile(
    "passw[o0]rd|p4ssw0rd|secret|change[-_]?(me|it)|default|admin|openstack|holdfast|swift|glance|keystone|qwerty|letmein|"
    "welcome|example|insecure|test1234|12345678|abcdefgh|replace[-_]?me|todo|fixme",
    re.I,
)

# Characters of the classes that a value uses say how many it was drawn from.
_CLASSES = ((r"[0-9]", 10), (r"[a-z]", 26), (r"[A-Z]", 26), (r"[^0-9A-Za-z]", 20))


def required(descriptions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the secrets that services need, from their descriptions, in order."""
    names: set[str] = set()
    for description in descriptions:
        if database := description.get("database"):
            names.add(f"{database['name']}_database_password")
        if description.get("message_queue"):
            names.add(f"{description['service']}_message_queue_password")
        if user := (description.get("identity") or {}).get("user"):
            names.add(f"{user['name']}_identity_password")
        names.update(description.get("secrets") or ())
    return sorted(names)


def missing(existing: Mapping[str, Any], required: Iterable[str]) -> list[str]:
    """Names of the secrets that have to be made, in order."""
    return sorted(name for name in set(required) if not existing.get(name))


def generate(name: str) -> str:
    """A new secret of 256 bits, in the form that its name asks for.

    ``*_fernet_keys`` and ``*_credential_keys`` are keystone's numbered keys (see ``fernet``), ``*_ca_key`` is a private
    key on the curve P-256 in PEM, ``*_root_secret`` is base64 as Swift's keymaster reads it, ``*_fixed_key`` is
    hexadecimal, ``ceph_*_key`` is a key of cephx, of 128 bits, and ``ceph_fsid`` the UUID of a cluster. All others are
    of letters and digits only: safe in URLs, shells and every kind of configuration file.
    """
    return _form(name).make()


def placeholder(name: str) -> str:
    """What stands for a secret where the real one is not wanted: always the same for a name, and of its form."""
    if _form(name) is _CEPH_KEY:
        return ceph.make_key(hashlib.sha256(name.encode()).digest()[: ceph.KEY_BYTES])
    if _form(name) is _EC_KEY:
        return _ec_key(sum(name.encode()))
    if _form(name) is _KEYS:
        return fernet.generate(lambda size: hashlib.sha256(name.encode()).digest()[:size], 0)
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name)) if name in PUBLIC else f"({name})"


def complete(existing: Mapping[str, str], required: Iterable[str]) -> dict[str, str]:
    """The existing secrets, and new ones for those that are missing."""
    return {**existing, **{name: generate(name) for name in missing(existing, required)}}


def weaknesses(secrets: Mapping[str, Any], own: Collection[str] = ()) -> dict[str, str]:
    """What is wrong with the secrets by themselves, by name. Values are never in the text.

    ``own`` are those of Holdfast's services, which stand in URLs and in files of every kind; others may be as they are.
    """
    found = {name: _weakness(name, value) for name, value in sorted(secrets.items())}
    for name in sorted(set(own) & set(secrets)):
        if not found[name] and _form(name) is _TEXT and not re.fullmatch(r"[A-Za-z0-9._~-]+", secrets[name]):
            found[name] = "has characters that URLs and configuration files do not take as they are"
    return {name: reason for name, reason in found.items() if reason}


def entropy(value: str) -> float:
    """Bits that a value has at most, judged by its length, its classes of characters and their repetition."""
    if not value:
        return 0.0
    alphabet = sum(size for pattern, size in _CLASSES if re.search(pattern, value))
    if re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", value):
        alphabet = 16 if re.search(r"[a-fA-F]", value) else 10
    counts = Counter(value)
    spread = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    # A short random text repeats little: its observed spread is below the alphabet's, and not its fault.
    possible = math.log2(min(len(value), alphabet))
    share = min(1.0, spread / possible * 1.15) if possible else 0.0
    return len(value) * math.log2(alphabet) * share


def _weakness(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return "is empty"
    if not isinstance(value, str):
        return "is not text: quote it"
    return _form(name).weakness(name, value)


def _weak_text(name: str, value: str) -> str | None:
    if value != value.strip():
        return "has white space around it"
    if not value.isprintable() or not value.isascii():
        return "has characters that configuration files do not take"
    if value.lower() == name.lower() or ((word := _WORDS.search(value)) and len(value) < 32 + len(word.group())):
        return "is a default, or contains a common word"
    if re.fullmatch(r"(.+?)\1+", value):
        return "repeats itself"
    steps = {ord(after) - ord(before) for before, after in pairwise(value)}
    if len(steps) == 1:
        return "is a sequence"
    if entropy(value) < BITS:
        return f"has less than {BITS} bits of entropy"
    return None


def _weak_base64(name: str, value: str) -> str | None:
    try:
        if len(base64.b64decode(value, validate=True)) < 32:
            return "is of less than 32 bytes in base64"
    except ValueError:
        return "is not base64"
    return _weak_text(name, value)


def _weak_hexadecimal(name: str, value: str) -> str | None:
    if not re.fullmatch(r"([0-9a-fA-F]{2}){32,}", value):
        return "is not hexadecimal of at least 64 digits"
    return _weak_text(name, value)


def _weak_keys(_: str, value: str) -> str | None:
    try:
        numbered = fernet.keys(value)
        if len(numbered) >= 2 and all(
            len(base64.urlsafe_b64decode(key)) == fernet.KEY_BYTES for key in numbered.values()
        ):
            return None
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return "is not a set of keystone's keys"


def _weak_ec_key(_: str, value: str) -> str | None:
    return None if re.match(r"-----BEGIN (EC )?PRIVATE KEY-----\n", value) else "is not a private key in PEM"


def _weak_ceph_key(_: str, value: str) -> str | None:
    return None if ceph.is_key(value) else "is not a key of Ceph's"


def _weak_uuid(_: str, value: str) -> str | None:
    try:
        return None if str(uuid.UUID(value)) == value and uuid.UUID(value).int else "is not a UUID in lower case"
    except ValueError:
        return "is not a UUID in lower case"


def _ceph_key() -> str:
    return ceph.make_key(random.token_bytes(ceph.KEY_BYTES), int(time.time()))


def _text() -> str:
    return "".join(random.choice(_ALPHABET) for _ in range(_LENGTH))


def _base64() -> str:
    return base64.b64encode(random.token_bytes(32)).decode()


def _hexadecimal() -> str:
    return random.token_hex(32)


def _fernet() -> str:
    return fernet.generate(random.token_bytes, time.time())


def _ec_key(number: int = 0) -> str:
    """A private key on the curve P-256 in PEM: a new one, or that of a number."""
    # Costs 0.1 s, and is needed once in the life of a deployment.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    curve = ec.SECP256R1()
    key = ec.derive_private_key(number, curve) if number else ec.generate_private_key(curve)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@dataclass(frozen=True)
class _Form:
    """How secrets of a form are made, and what makes one weak."""

    make: Callable[[], str]
    weakness: Callable[[str, str], str | None]


_KEYS = _Form(_fernet, _weak_keys)
_TEXT = _Form(_text, _weak_text)
_EC_KEY = _Form(_ec_key, _weak_ec_key)
_FORMS = {
    "_fernet_keys": _KEYS,
    "_credential_keys": _KEYS,
    "_ca_key": _EC_KEY,
    "_root_secret": _Form(_base64, _weak_base64),
    "_fixed_key": _Form(_hexadecimal, _weak_hexadecimal),
    "ceph_fsid": _Form(lambda: str(uuid.uuid4()), _weak_uuid),
}
_CEPH_KEY = _Form(_ceph_key, _weak_ceph_key)

PUBLIC = frozenset({"ceph_fsid"})
"""What is kept among the secrets because it must not be lost, and may be shown."""


def _form(name: str) -> _Form:
    if name.startswith("ceph_") and name.endswith("_key"):
        return _CEPH_KEY
    return next((form for ending, form in _FORMS.items() if name.endswith(ending)), _TEXT)
