# SPDX-License-Identifier: Apache-2.0
"""Why an expression of the inventory has no value, and what helps, in words of the inventory and not of Python's."""

from __future__ import annotations

import re
from collections.abc import Iterator

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "a truth value",
    "nonetype": "nothing",
    "dict": "a mapping",
    "list": "a list",
    "tuple": "a list",
    "date": "a date",
    "datetime": "a date",
    "builtin_function_or_method": "a function",
    "method": "a function",
    "function": "a function",
}
# What Python says, and the same in words.
_SAYINGS = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"unsupported operand type\(s\) for (\S+): '(\w+)' and '(\w+)'", "{} does not work with {} and {}"),
        (r"can only concatenate (\w+) \(not \"(\w+)\"\) to \w+", "+ does not work with {} and {}"),
        (r"'(\S+)' not supported between instances of '(\w+)' and '(\w+)'", "{} does not work with {} and {}"),
        (r"bad operand type for (.+): '(\w+)'", "{} does not work with {}"),
        (r"(?:object of type )?'(\w+)'(?: object)? has no attribute (.+)", "{} has no {}"),
        (r"'(\w+)' object is not iterable", "{} is no list"),
        (r"'(\w+)' object is not callable", "{} is no function"),
        (r"'(\w+)' object is not subscriptable", "{} has no parts"),
        (r".*(?:division|modulo).*", "it divides by zero"),
        (r"hostvars\[(.+)\]", "hostvars has no host {}"),
    )
)
_DEFINE = "Define what it refers to, or correct the expression."
_KEY = "Give the password of its vault (--vault-id, --vault-password-file), or encrypt it anew with this one."
_DAMAGED = "Encrypt the value anew with `ansible-vault encrypt_string`: this is none, or is damaged."


def told(error: BaseException) -> tuple[str, str]:
    """What is wrong with a value that Ansible could not evaluate, and what to do."""
    errors = list(_chain(error))
    if any(isinstance(each, RecursionError) for each in errors):
        return (
            "can not be evaluated: it refers to itself, or to what refers back to it.",
            "Take one of these references out: an expression never sees the value that stood there before.",
        )
    reasons = [_plain(" ".join(str(getattr(each, "message", each)).split()).rstrip(".")) for each in errors]
    for reason in reasons:
        if found := re.search(r"undecryptable variable: (.+)|(Decryption failed.*)", reason):
            sealed = found[1] or found[2]
            return (
                f"has a value of a vault that can not be decrypted: {sealed}.",
                _KEY if "Decryption failed" in sealed else _DAMAGED,
            )
    said = ""
    for reason in reasons:
        said = said if not reason or reason in said else f"{said}: {reason}" if said else reason
    return f"can not be evaluated: {said}.", _DEFINE


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _plain(reason: str) -> str:
    """The reason, with what Python says put into words."""
    said = reason.removeprefix("Error rendering template: ")
    for pattern, words in _SAYINGS:
        if found := pattern.fullmatch(said):
            return words.format(*map(_kind, found.groups()))
    return reason


def _kind(name: str) -> str:
    """The word for a kind of Python's; anything else as it is."""
    return _KINDS.get(re.sub("_Ansible(Tagged|LazyTemplate|LazyAccess)", "", name).lower(), name)
