# SPDX-License-Identifier: Apache-2.0
"""The inventory's variables: their types and defaults as the roles declare them, and the check of values against them.

A role declares its variables in ``meta/variables.yml`` (name to JSON Schema, draft 2020-12) and their defaults in
``defaults/main.yml``. Beyond JSON Schema a declaration knows:

``x-scope``
    ``deployment`` (the default): one value for all hosts; it may stand in any group, but may not differ.
    ``host``: each host has its own.
``x-groups``
    Without a default, the variable is required on the hosts of these groups only, and not everywhere.
``x-before``
    What stands in for the default in a deployment that had the service before this was the default.
``x-renamed-from``
    The name that it had. That one is refused with the new one, and its prefix stays reserved.
``x-backends``
    At the ``type`` of a list's entries: they are back ends, and ``declarations`` fills in what the role's types say.
"""

from __future__ import annotations

import copy
import difflib
import functools
import ipaddress
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..config import holds_secret, is_sensitive
from ..errors import counted

KeyPath = tuple[str | int, ...]

# Also files and times of secrets have such names, and may be shown.
_SECRET_NAME = re.compile(
    r"(?!.*_(file|seconds|hours|days)$).*(password|passwd|secret|token|credential|hash_path)", re.I
)
_LONGEST_NUMBER = 100
_SECRET_URL = re.compile(r"://[^/@\s]*:[^@\s]+@")


@dataclass(frozen=True)
class Problem:
    """A value that its schema refuses. ``path`` leads from the variable's name to the value."""

    code: str
    path: KeyPath
    what: str
    fix: str
    prune: KeyPath | None = None
    """What has to be left out so that the rest can still be checked, when it is not the structure that is wrong."""


@dataclass(frozen=True)
class Variable:
    """A declared variable. ``default`` is meaningful only when ``has_default``."""

    name: str
    role: str
    schema: Mapping[str, Any]
    default: Any = None
    has_default: bool = False

    @property
    def is_host_scoped(self) -> bool:
        return bool(self.schema.get("x-scope") == "host")

    def is_begun(self, secrets: Iterable[str]) -> bool:
        """Whether a deployment with these secrets has the variable's service already: by then its default was fixed."""
        return any(name.startswith(f"{self.role}_") for name in secrets)

    @property
    def required_groups(self) -> frozenset[str] | None:
        """Groups on whose hosts it must be given; None means all hosts; an empty set means that it has a default."""
        if self.has_default:
            return frozenset()
        groups = self.schema.get("x-groups")
        return None if groups is None else frozenset(groups)


@dataclass(frozen=True)
class RoleVariables:
    """The declared variables of all roles. The name of every role that declares some is a reserved prefix.

    ``renamed`` leads from names that there were to those of now.
    """

    variables: Mapping[str, Variable]
    prefixes: tuple[str, ...]
    renamed: Mapping[str, str]
    _validators: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def is_reserved(self, name: str) -> bool:
        """Whether the name belongs to Holdfast: it starts with a role's name and an underscore."""
        return name.startswith(self.prefixes)

    def nearest(self, name: str) -> str | None:
        """The declared variable that a name is most likely meant to be."""
        return nearest(name, self.variables)

    def mistyped(self, name: str) -> str | None:
        """The declared variable that a name without a reserved prefix misspells, or None if it is the site's own.

        ``network_bridges`` is one, ``site_networks_bridges`` is not: its owner put a prefix before it on purpose.
        """
        lowered = name.lower().replace("-", "_")
        if lowered in self.variables:
            return lowered
        match = difflib.get_close_matches(lowered, self.variables, n=1, cutoff=0.9)
        return match[0] if match and not lowered.endswith("_" + match[0]) else None

    def check(self, name: str, value: Any) -> list[Problem]:
        """All that the variable's schema refuses in a value, in a stable order."""
        if name not in self._validators:
            self._validators[name] = _validator(self.variables[name].schema)
        problems = [_explain(name, error) for error in self._validators[name].iter_errors(value)]
        return sorted(_flatten(problems), key=lambda problem: (tuple(map(str, problem.path)), problem.code))

    def complete(self, name: str, value: Any) -> Any:
        """A copy of a value in which keys that are not given have the defaults that the schema states."""
        return _fill(copy.deepcopy(value), self.variables[name].schema)


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like a name, whatever the case; None when none is like it."""
    by_lowered = {candidate.lower(): candidate for candidate in candidates}
    match = difflib.get_close_matches(str(name).lower(), by_lowered, n=1, cutoff=0.6)
    return by_lowered[match[0]] if match else None


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """The question that a fix begins with when a candidate is like the name; otherwise nothing."""
    near = nearest(name, candidates)
    return f"Did you mean {near}? " if near else ""


def is_hidden(path: KeyPath) -> bool:
    """Whether a key on the way to a value says that it is a secret."""
    return any(isinstance(key, str) and (_SECRET_NAME.match(key) or is_sensitive(key)) for key in path)


def shown(value: Any, path: KeyPath = ()) -> str:
    """A value as messages show it: short, and not at all when its key says that it is a secret."""
    within = _SECRET_URL.search(str(value)) or holds_secret(str(path[-1]) if path else "", value)
    if isinstance(value, (str, int, float)) and not isinstance(value, bool) and (is_hidden(path) or within):
        return "(a secret, not shown)"
    if isinstance(value, Mapping):
        return f"a mapping of {counted(len(value), 'key')}"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def leaves(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    """The values below a mapping that are none themselves, each with its place."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves((*path, str(key)), inner)
    else:
        yield path, value


def dotted(path: Sequence[str | int]) -> str:
    """A key path as messages show it: ``networks_bridges.mgmt.dns[0]``."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text


def ipv4(value: str) -> ipaddress.IPv4Address:
    """An IPv4 address. Raises ValueError with the reason, in words that end a sentence."""
    _refuse_oddities(value)
    if re.fullmatch(r"[0-9.]+/[0-9.]*", value):
        raise ValueError("with a prefix length, and an address alone is wanted")
    try:
        return ipaddress.IPv4Address(value)
    except ValueError:
        raise ValueError("not an IPv4 address of four numbers from 0 to 255 without leading zeros") from None


def ipv4_network(value: str) -> ipaddress.IPv4Network:
    """An IPv4 network in CIDR form. Raises ValueError with the reason, in words that end a sentence."""
    _refuse_oddities(value)
    address, slash, length = value.partition("/")
    if not slash:
        raise ValueError("without a prefix length")
    if not re.fullmatch(r"[0-9]|[12][0-9]|3[0-2]", length):
        raise ValueError(f"with a prefix length of {length!r} instead of a number from 0 to 32")
    ipv4(address)
    network = ipaddress.IPv4Network(value, strict=False)
    if str(network.network_address) != address:
        raise ValueError(f"an address inside a network and not the network, which is {network}")
    return network


def _refuse_oddities(value: str) -> None:
    if value != value.strip():
        raise ValueError("with white space around it")
    if not value:
        raise ValueError("empty")
    if "://" in value:
        raise ValueError("a URL, and an address is wanted")
    if re.fullmatch(r"[^:]*:[0-9]*|\[.*\]:[0-9]+", value):
        raise ValueError("with a port, and an address alone is wanted")
    if ":" in value and _is_ipv6(value):
        raise ValueError("IPv6, and these networks are IPv4")


def _is_ipv6(value: str) -> bool:
    try:
        ipaddress.IPv6Network(value.strip("[]"), strict=False)
    except ValueError:
        return False
    return True


# -- JSON Schema --------------------------------------------------------------------------------------------------

_FORMATS: Mapping[str, Callable[[str], Any]] = {"ipv4": ipv4, "ipv4-network": ipv4_network}

_LINE_BREAK = re.compile(r"[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")

_EXAMPLES = {
    "ipv4": "an IPv4 address such as 172.29.236.10",
    "ipv4-network": "an IPv4 network such as 172.29.244.0/22",
}

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


@functools.lru_cache(maxsize=1)
def _validator_class() -> tuple[Any, Any]:
    # Costs 0.1 s: only who checks values pays for it.
    import jsonschema

    strict = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: (
                isinstance(value, (int, float)) and not isinstance(value, bool) and _is_countable(value)
            ),
        }
    )
    formats = jsonschema.FormatChecker(formats=())
    for name, parse in _FORMATS.items():
        formats.checks(name, raises=ValueError)(functools.partial(_has_format, parse))
    extend: Any = jsonschema.validators.extend

    def pattern(_: Any, wanted: str, value: Any, __: Any) -> Iterator[Any]:
        # To `$` and to [^...] a line break is nothing special, and none belongs into a value of a form.
        if isinstance(value, str) and (_LINE_BREAK.search(value) or not re.search(wanted, value)):
            yield jsonschema.ValidationError("form")

    return extend(jsonschema.Draft202012Validator, {"pattern": pattern}, type_checker=strict), formats


def _is_countable(value: float) -> bool:
    # A whole number may be larger than any that isfinite takes.
    return isinstance(value, int) or math.isfinite(value)


def _has_format(parse: Callable[[str], Any], value: Any) -> bool:
    if isinstance(value, str):
        parse(value)
    return True


def _validator(schema: Mapping[str, Any]) -> Any:
    validator, formats = _validator_class()
    return validator(schema, format_checker=formats)


def _flatten(problems: Iterable[list[Problem]]) -> Iterator[Problem]:
    for group in problems:
        yield from group


def _explain(name: str, error: Any) -> list[Problem]:
    """What a jsonschema error means to an operator."""
    path: KeyPath = (name, *error.absolute_path)
    wanted, value, schema = error.validator_value, error.instance, error.schema
    seen, about = shown(value, path), _about(schema)

    def refused(code: str, what: str, fix: str) -> list[Problem]:
        return [Problem(code, path, what, fix, path)]

    match error.validator:
        case "type":
            return refused(*_wrong_type(value, wanted, seen, about))
        case "additionalProperties":
            known = schema.get("properties", {})
            return [_unknown_key(key, value[key], (*path, key), known) for key in value if key not in known]
        case "required":
            # One error for each missing key, whose name only the message has.
            key = next(key for key in wanted if key not in value and error.message.startswith(repr(key)))
            about = _about(schema.get("properties", {}).get(key, {}))
            return [Problem("schema.required", (*path, key), "is missing.", f"Give it{about}")]
        case "enum":
            hint = did_you_mean(str(value), map(str, wanted))
            allowed = ", ".join(map(str, wanted))
            return refused(
                "schema.value", f"is {seen}, which is not one of: {allowed}.", f"{hint}Give one of them{about}"
            )
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
            range_ = bounds(schema)
            return refused("schema.range", f"is {seen}, and must be {range_}.", f"Give a number {range_}{about}")
        case "format":
            example = _EXAMPLES[wanted]
            return refused(f"schema.{wanted}", f"is {seen}, {error.cause}.", f"Give {example}{about}")
        case "pattern" | "minLength" if not value:
            return refused("schema.empty", "is empty.", f"Give a value{about}")
        case "pattern" if _LINE_BREAK.search(value):
            what, fix = f"is {seen}, of several lines or with a line break at its end.", "Write it in one line"
            return refused("schema.form", what, f"{fix}{about}")
        case "pattern":
            form = schema.get("x-pattern", f"of the form {wanted}")
            return refused("schema.form", f"is {seen}, which is not {form}.", f"Give {form}{about}")
        case "minLength" | "maxLength":
            bound = f"at {'least' if error.validator == 'minLength' else 'most'} {wanted} characters"
            return refused("schema.length", f"is {seen}, and must have {bound}.", f"Give {bound}{about}")
        case "uniqueItems":
            twice = next(item for index, item in enumerate(value) if item in value[:index])
            return [Problem("schema.twice", path, f"has {shown(twice, path)} twice.", "List it once.")]
        case "minItems" | "maxItems":
            bound = f"at {'least' if error.validator == 'minItems' else 'most'} {wanted}"
            what = f"has {counted(len(value), 'entry')}, and must have {bound}."
            return [Problem("schema.items", path, what, f"List {bound}{about}", None if value else path)]
        case other:
            return refused(f"schema.{other}", f"is refused: {error.message}.", f"Correct it{about}")


def _wrong_type(value: Any, wanted: str | Sequence[str], seen: str, about: str) -> tuple[str, str, str]:
    kinds = [wanted] if isinstance(wanted, str) else wanted
    types = " or ".join(_TYPES[kind] for kind in kinds)
    if value is None or value == "":
        return "schema.empty", f"is empty; {types} is wanted.", f"Give {types}, or take the key out{about}"
    fix = f"{_rewritten(value, kinds) or f'Give {types}'}{about}"
    kind = _type_of(value)
    what = f"is {seen}" if kind in seen else f"is {seen}, which is {kind}"
    return "schema.type", f"{what}; {types} is wanted.", fix


def _unknown_key(key: Any, value: Any, path: KeyPath, known: Mapping[str, Any]) -> Problem:
    hint = did_you_mean(str(key), known)
    what = f"is {shown(value, path)}, and {key} is not a known key."
    return Problem("schema.unknown-key", path, what, f"{hint}Known keys: {', '.join(known) or 'none'}.", path)


def _about(schema: Mapping[str, Any]) -> str:
    """What a thing is, to end a fix with: the first sentence of its description."""
    text = " ".join(str(schema.get("description", "")).split())
    return f": {text.split('. ')[0].rstrip('.')}." if text else "."


def bounds(schema: Mapping[str, Any]) -> str:
    """The range that a schema allows, in words; empty when it states none."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"from {low} to {high}"
    parts = [
        f"{word} {bound}"
        for word, bound in (("at least", low), ("above", above), ("at most", high), ("below", below))
        if bound is not None
    ]
    return " and ".join(parts)


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, float) and not math.isfinite(value):
        return "no number that can be counted with"
    for kind, name in ((str, "string"), (int, "integer"), (float, "number"), (Mapping, "object"), (list, "array")):
        if isinstance(value, kind):
            return _TYPES[name]
    return f"a {type(value).__name__}"


_TRUTH = {
    **dict.fromkeys(("true", "yes", "on", "y"), "true"),
    **dict.fromkeys(("false", "no", "off", "n"), "false"),
}


def _rewritten(value: Any, kinds: Sequence[str]) -> str:
    """How a value of another type is written so that YAML takes it for what is wanted; empty when nobody can say."""
    if "string" in kinds and isinstance(value, (bool, int, float)):
        return "Put it in quotes: YAML reads yes, no, on, off and numbers as what they are without them"
    if not isinstance(value, str):
        return ""
    if "boolean" in kinds and (truth := _TRUTH.get(value.strip().lower())):
        return f"Write {truth} without quotes, in a file of hosts in INI {truth.capitalize()}"
    number = value.strip().replace("_", "")
    whole = re.fullmatch(r"-?[0-9]+", number)
    if not ("integer" in kinds or "number" in kinds) or not (
        whole or re.fullmatch(r"-?[0-9]*\.?[0-9]+(e-?[0-9]{1,2})?", number)
    ):
        return ""
    if whole and (number.lstrip("-").lstrip("0") or "0") == number.lstrip("-"):
        return "Write it without quotes"
    digits = str(int(number)) if whole and len(number) < _LONGEST_NUMBER else f"{float(number):.15g}"
    if "number" not in kinds and not digits.lstrip("-").isdecimal():
        return ""
    if digits == number:
        return "Write it without quotes"
    return f"Write {digits}, without quotes: as it stands, this is text"


def _fill(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        for key, inner in schema.get("properties", {}).items():
            if key not in value and "default" in inner:
                value[key] = copy.deepcopy(inner["default"])
            if key in value:
                value[key] = _fill(value[key], inner)
        inner = schema.get("additionalProperties")
        if isinstance(inner, Mapping):
            for key in value:
                if key not in schema.get("properties", {}):
                    value[key] = _fill(value[key], inner)
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return [_fill(item, schema["items"]) for item in value]
    return value
