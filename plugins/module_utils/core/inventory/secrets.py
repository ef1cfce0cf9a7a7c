# SPDX-License-Identifier: Apache-2.0
"""Secrets: which are needed, how they are made, and which are too weak. They are values here and never shown."""

from __future__ import annotations

import base64
import math
import re
import secrets as random
import string
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..errors import HoldfastError
from .schema import KeyPath, did_you_mean

BITS = 128
"""What a secret has at least, as far as its characters can tell."""

_ALPHABET = string.ascii_letters + string.digits
# 43 of 62 characters are 256 bits.
_LENGTH = 43

_WORDS = re.compile(
    "passw[o0]rd|p4ssw0rd|secret|change[-_]?(me|it)|default|admin|openstack|holdfast|qwerty|letmein|"
    "welcome|example|insecure|test1234|12345678|abcdefgh|replace[-_]?me|todo|fixme",
    re.I,
)

# What a password has beside them at least, in characters.
_OWN_BESIDE_WORDS = 8
_COMMON = "is a default, or contains a common word"

# Characters of the classes that a value uses say how many it was drawn from.
_CLASSES = ((r"[0-9]", 10), (r"[a-z]", 26), (r"[A-Z]", 26), (r"[^0-9A-Za-z]", 20))


@dataclass(frozen=True)
class Form:
    """How secrets of a form are made, what makes one weak, and what stands for one where it is not wanted.

    Attributes:
        make: a new secret.
        weakness: of a name and a value: what is wrong, or None.
        placeholder: of a name: always the same, and of the form.
        is_public: it is kept among the secrets because it must not be lost, and may be shown.
        called: what a value of the form is that can be nothing else, in words; empty where values do not tell.
        remedy: what to do about a weak one.
        misleading: names under which none is made: who meets them in the vault file takes them for something else.
    """

    make: Callable[[], str]
    weakness: Callable[[str, str], str | None]
    placeholder: Callable[[str], str] = "({})".format
    is_public: bool = False
    called: str = ""
    remedy: str = "Take it out of the vault file: Holdfast makes a strong one."
    misleading: re.Pattern[str] | None = None


@dataclass(frozen=True)
class Named:
    """A secret that an inventory names.

    Attributes:
        name: its name.
        purpose: what it is for. One secret is for one purpose.
        form: its form; None where only others can make it.
        path: where the inventory names it; empty where the name follows from other values.
        host: the host whose value that is, of a ``Draft``; None of the deployment.
    """

    name: str
    purpose: str
    form: Form | None
    path: KeyPath = ()
    host: Any = None


def required(descriptions: Iterable[Mapping[str, Any]], forms: Mapping[str, Form]) -> dict[str, Form]:
    """The secrets that services need, from their descriptions: names in order, with their forms.

    Raises HoldfastError for a form that is not among ``forms``.
    """
    named: dict[str, Form] = {}
    for description in descriptions:
        for name, form in declared(description).items():
            named[name] = _form(description, "secrets", name, form, forms)
    return {name: named[name] for name in sorted(named)}


def declared(description: Mapping[str, Any]) -> dict[str, str]:
    """The secrets that a service needs, from its description: names, with the names of their forms."""
    named: dict[str, str] = {}
    for database in description.get("databases", ()):
        named[f"{database.get('account', database['name'])}_database_password"] = "text"
    if queue := description.get("message_queue"):
        named[f"{queue['vhost']}_message_queue_password"] = "text"
    for user in (description.get("identity") or {}).get("users", ()):
        named[f"{user['name']}_identity_password"] = "text"
    return {**named, **description.get("secrets", {})}


def families(descriptions: Iterable[Mapping[str, Any]], forms: Mapping[str, Form]) -> dict[str, Form]:
    """The patterns of secrets' names of which a name of the site's is part, with their forms.

    Raises HoldfastError for a form that is not among ``forms``.
    """
    return {
        pattern: _form(description, "secret_families", pattern, form, forms)
        for description in descriptions
        for pattern, form in description.get("secret_families", {}).items()
    }


def _form(description: Mapping[str, Any], key: str, name: str, form: str, forms: Mapping[str, Form]) -> Form:
    if form not in forms:
        raise HoldfastError(
            f"roles/*/service.yml of {description['service']}: {key}.{name}: there is no form {form!r}. "
            f"Fix: {did_you_mean(form, forms)}Give one of: {', '.join(sorted(forms))}."
        )
    return forms[form]


def missing(existing: Mapping[str, Any], required: Iterable[str]) -> list[str]:
    """Names of the secrets that have to be made, in order."""
    return sorted(name for name in set(required) if not existing.get(name))


def complete(existing: Mapping[str, str], required: Mapping[str, Form]) -> dict[str, str]:
    """The existing secrets, and new ones for those that are missing."""
    return {**existing, **{name: required[name].make() for name in missing(existing, required)}}


def weaknesses(secrets: Mapping[str, Any], forms: Mapping[str, Form]) -> dict[str, str]:
    """What is wrong with the secrets by themselves, by name. Values are never in the text.

    ``forms`` are those of Holdfast's services. Their texts stand in URLs and in files of every kind; secrets of others
    are texts too, and may be as they are.
    """
    found = {name: _weakness(name, value, forms.get(name, TEXT)) for name, value in sorted(secrets.items())}
    for name in sorted(set(forms) & set(secrets)):
        if not found[name] and forms[name] is TEXT:
            found[name] = _weak_for_a_service(name, secrets[name])
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


def _weakness(name: str, value: Any, form: Form) -> str | None:
    if value is None or value == "":
        return "is empty"
    if not isinstance(value, str):
        return "is not text: quote it"
    return form.weakness(name, value)


def _weak_for_a_service(name: str, value: str) -> str | None:
    service = name.partition("_")[0]
    if len(service) > 3 and service.lower() in value.lower() and len(value) < 32 + len(service):
        return _COMMON
    if not re.fullmatch(r"[A-Za-z0-9._~-]+", value):
        return "has characters that URLs and configuration files do not take as they are"
    return None


def _weak_text(name: str, value: str) -> str | None:
    if not value.isascii():
        return "has characters that configuration files do not take"
    if (word := _WORDS.search(value)) and len(value) < 32 + len(word.group()):
        return _COMMON
    if weakness := _weak_password(name, value):
        return weakness
    return f"has less than {BITS} bits of entropy" if entropy(value) < BITS else None


def _weak_elsewhere(_: str, value: str) -> str | None:
    return None if value.isprintable() else "has line breaks or characters that can not be printed"


def _weak_password(name: str, value: str) -> str | None:
    """Of what somebody chose himself: no default. How long it is to be, the identity service is told."""
    if "-----BEGIN " in value:
        return "is a key or a certificate in PEM"
    if value != value.strip():
        return "has white space around it"
    if not value.isprintable():
        return "has characters that configuration files do not take"
    if value.lower() == name.lower() or (_WORDS.search(value) and len(_WORDS.sub("", value)) < _OWN_BESIDE_WORDS):
        return _COMMON
    if re.fullmatch(r"(.+?)\1+", value):
        return "repeats itself"
    steps = {ord(after) - ord(before) for before, after in pairwise(value)}
    return "is a sequence" if len(steps) == 1 else None


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


def _weak_ec_key(_: str, value: str) -> str | None:
    if not re.match(r"-----BEGIN (EC )?PRIVATE KEY-----\n", value):
        return "is not a private key in PEM"
    # What a vault was opened with has loaded it before.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_private_key(value.encode(), None)
    except (ValueError, UnsupportedAlgorithm):
        return "is a private key in PEM that is damaged"
    except TypeError:
        return "is a private key that asks for a password"
    return None if isinstance(key, ec.EllipticCurvePrivateKey) else "is a private key, and not one on an elliptic curve"


def _weak_uuid(_: str, value: str) -> str | None:
    try:
        return None if str(uuid.UUID(value)) == value and uuid.UUID(value).int else "is not a UUID in lower case"
    except ValueError:
        return "is not a UUID in lower case"


def _text() -> str:
    return "".join(random.choice(_ALPHABET) for _ in range(_LENGTH))


def _base64() -> str:
    return base64.b64encode(random.token_bytes(32)).decode()


def _hexadecimal() -> str:
    return random.token_hex(32)


def _ec_key(number: int = 0) -> str:
    """A private key on the curve P-256 in PEM: a new one, or that of a number."""
    # Costs 0.1 s, and is needed once in the life of a deployment.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    curve = ec.SECP256R1()
    key = ec.derive_private_key(number, curve) if number else ec.generate_private_key(curve)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


_REMEDY = f"{Form.remedy} Or give 32 random letters and digits."

TEXT = Form(_text, _weak_text, remedy=_REMEDY)
"""Letters and digits only: safe in URLs, shells and every kind of configuration file. 256 bits."""

PASSWORD = Form(
    _text, _weak_password, remedy=_REMEDY, misleading=re.compile(r"(^|_)(ca|private|host|tls|ssl|ssh|cephx)_key$")
)
"""A user's, who may choose any characters: it goes to the identity service alone."""

ELSEWHERE = Form(_text, _weak_elsewhere, remedy="Give it as the device has it, in one line.")
"""What a device of others knows already: Holdfast neither makes it nor judges how strong it is."""

FORMS: Mapping[str, Form] = {
    "text": TEXT,
    "base64": Form(_base64, _weak_base64),
    "hexadecimal": Form(_hexadecimal, _weak_hexadecimal),
    "ec_key": Form(_ec_key, _weak_ec_key, lambda name: _ec_key(sum(name.encode())), called="a private key in PEM"),
    "uuid": Form(
        lambda: str(uuid.uuid4()), _weak_uuid, lambda name: str(uuid.uuid5(uuid.NAMESPACE_URL, name)), is_public=True
    ),
}
"""The forms that need no knowledge of a service, by the name that descriptions give them: of 256 bits each, ``ec_key``
a private key on the curve P-256 in PEM, ``uuid`` no secret at all."""
