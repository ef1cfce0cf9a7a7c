# SPDX-License-Identifier: Apache-2.0
"""Configuration files from data, each as its reader reads it; and what of them may be shown."""

from __future__ import annotations

import configparser
import fnmatch
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .errors import HoldfastError

Sections = Mapping[str, Mapping[str, Any]]

_SENSITIVE_KEY = re.compile(
    r"(pass(word|wd|phrase)?|pwd|secret|token|cookie|connection|transport_url|credential|private|apikey|accesskey"
    r"|hash_path_(pre|suf)fix|passcode|root_token_id|approle_secret_id|hmac_keys|(^|_)key)$",
    re.IGNORECASE,
)
_SENSITIVE_URL = re.compile(r"://([^:/@\s]*):[^@\s]+@")
_ASSIGNMENT = re.compile(r"^(\s*[\"']?)([\w.\-:]+)([\"']?\s*[=:]\s*)(.+)$")
_WORD_WITHIN = re.compile(r"(?:^|[\s,;&?{])[\"']?([\w.\-]+)[\"']?\s*[:=]\s*[\"']?([^\s,;&?}\"']+)")
_HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Format:
    """A kind of file of options, and how whoever reads it has values.

    Attributes:
        text: a text as it has to be written to be read as it is. Raises ValueError with the reason when it can not be.
        true, false: the words for truth.
        numbered: an option that repeats has numbers behind its name.
        abbreviates: names of options may be cut short, and have a word such as `skip-` or `loose-` before them.
        spaced: names of options may have blanks.
    """

    text: Callable[[str], str]
    true: str = "true"
    false: str = "false"
    numbered: bool = False
    abbreviates: bool = False
    spaced: bool = False

    def value(self, value: Any) -> str:
        """A value as it is written: lists with commas, numbers without an exponent.

        Raises ValueError with the reason for which the reader would take it for something else.
        """
        if isinstance(value, bool):
            return self.true if value else self.false
        if isinstance(value, float):
            return format(Decimal(repr(value)), "f")
        if isinstance(value, (list, tuple)):
            items = [str(item) if isinstance(item, str) else self.value(item) for item in value]
            if len(items) > 1 and any("," in item for item in items):
                raise ValueError("is a list of which an item has a comma, as stands between items")
            return self.text(",".join(items))
        return self.text(str(value))

    def lines(self, options: Mapping[str, Any]) -> list[str]:
        """A line for each option. None leaves one out; ``{"each": [a, b]}`` repeats it, for oslo's MultiOpt.

        Raises ValueError with the option and the reason.
        """
        lines = []
        for name, value in options.items():
            repeats = isinstance(value, Mapping)
            try:
                for number, item in enumerate(value["each"] if repeats else [value], 1):
                    if item is not None:
                        lines.append(f"{name}{f'.{number}' if repeats and self.numbered else ''} = {self.value(item)}")
            except ValueError as error:
                raise ValueError(f"{name} {error}") from None
        return lines

    def render(self, sections: Sections) -> str:
        """The text of a file with sections. Order is kept. Raises HoldfastError with the option and the reason."""
        blocks = []
        for section, options in sections.items():
            try:
                blocks.append("\n".join([f"[{section}]", *self.lines(options)]) + "\n")
            except ValueError as error:
                raise HoldfastError(f"[{section}] {error}. Fix: give it another value.") from None
        return "\n".join(blocks)

    def render_flat(self, options: Mapping[str, Any]) -> str:
        """The text of a file without sections. Raises HoldfastError with the option and the reason."""
        try:
            return "\n".join(self.lines(options)) + "\n"
        except ValueError as error:
            raise HoldfastError(f"{error}. Fix: give it another value.") from None


def _one_line(text: str) -> str:
    if re.search(r"[\r\n\0]", text):
        raise ValueError("is of several lines, of which the next would be an option of its own")
    return text


def _bare(text: str) -> str:
    if text != _one_line(text).strip():
        raise ValueError("has white space at an end, which its reader takes away")
    return text


def _oslo(text: str) -> str:
    """oslo.config: ``$`` names another option, a pair of quotes around all is taken away, as is white space."""
    if "\\$" in _one_line(text):
        raise ValueError("has a backslash before a dollar sign, which oslo.config reads as the sign alone")
    quoted = text != text.strip() or (text[:1] in ("'", '"') and text[0] == text[-1])
    return (f'"{text}"' if quoted else text).replace("$", "$$")


def _paste(text: str) -> str:
    """What Swift and paste read: ``%(`` begins a reference, and only where there is one two percent signs are one."""
    return _bare(text).replace("%", "%%") if "%(" in text else _bare(text)


def _configparser(text: str) -> str:
    """What a plain ConfigParser of Python reads: each percent sign begins something."""
    return _bare(text).replace("%", "%%")


def _swift_reference(text: str) -> str:
    """glance's references to Swift: a plain ConfigParser's, and a pair of quotes around all is taken away."""
    quoted = text != _one_line(text).strip() or text[:1] in ("'", '"')
    return (f'"{text}"' if quoted else text).replace("%", "%%")


def _mariadb(text: str) -> str:
    """MariaDB: ``#`` ends a line anywhere, a backslash begins a special character, quotes around all are taken away."""
    if re.fullmatch(r"[A-Za-z0-9_./:,+@%=-]*", _one_line(text)):
        return text
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))


def _rabbitmq(text: str) -> str:
    """RabbitMQ: ``#`` ends a line anywhere outside single quotes, within which none can stand."""
    if "$(" in _one_line(text):
        raise ValueError("has `$(`, which begins a reference to another option of RabbitMQ")
    if text and text == text.strip() and "#" not in text and not text.startswith("'"):
        return text
    if "'" in text:
        raise ValueError("has a single quote beside what has to be put into such quotes for RabbitMQ")
    return f"'{text}'"


def _ceph(text: str) -> str:
    """Ceph: ``#`` and ``;`` end a line anywhere, quotes begin and a backslash hides. ``$host`` and such are its own."""
    escaped = re.sub(r"([\\#;])", r"\\\1", _bare(text))
    return f"\\{escaped}" if escaped[:1] in ("'", '"') else escaped


FORMATS: Mapping[str, Format] = {
    "ini": Format(_bare),
    "oslo": Format(_oslo),
    "paste": Format(_paste, spaced=True),
    "configparser": Format(_configparser),
    "swift_reference": Format(_swift_reference),
    "mariadb": Format(_mariadb, "ON", "OFF", abbreviates=True),
    "rabbitmq": Format(_rabbitmq, numbered=True),
    "ceph": Format(_ceph, spaced=True),
}
"""Files of options by who reads them: ``ini`` is anybody who takes a line as it stands."""


def parse_ini(text: str) -> dict[str, dict[str, str]]:
    """Sections of plain INI text, names and values as they stand, so that overrides can be laid on them."""
    parser = configparser.RawConfigParser(default_section="", strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return {section: dict(parser.items(section)) for section in parser.sections()}


def render_json(content: Any) -> str:
    """Indented JSON that ends with a newline."""
    return json.dumps(content, indent=2) + "\n"


def render_text(content: Any) -> str:
    """The text as it is, ended with a newline."""
    text = str(content)
    return text if text.endswith("\n") or not text else text + "\n"


def repeated(sections: Sections, patterns: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The sections, where a list stands for lines of their own if ``section.option`` matches one of the patterns."""

    def lines(section: str, option: str, value: Any) -> Any:
        place = f"{section}.{option}".lower()
        many = isinstance(value, (list, tuple)) and any(fnmatch.fnmatchcase(place, each.lower()) for each in patterns)
        return {"each": value} if many else value

    return {
        section: {option: lines(section, option, value) for option, value in options.items()}
        for section, options in sections.items()
    }


RENDERERS: Mapping[str, Callable[[Any], str]] = {
    **{name: form.render for name, form in FORMATS.items()},
    "rabbitmq": FORMATS["rabbitmq"].render_flat,
    "json": render_json,
    "text": render_text,
}
"""By the format of a file, its text from its content."""


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``base``, mappings merged at every depth; neither is changed."""
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def is_sensitive(option: str) -> bool:
    """Whether an option holds a secret, by its name."""
    return bool(_SENSITIVE_KEY.search(option))


def holds_secret(option: str, value: Any) -> bool:
    """Whether an option's value is a secret, by its name, or has one within: ``password:x`` or a URL with a password.

    A path is none: what it leads to is.
    """
    if isinstance(value, (list, tuple)):
        return any(holds_secret(option, item) for item in value)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        return False
    text = str(value)
    if _SENSITIVE_URL.search(text):
        return True
    words = ((option, text), *_WORD_WITHIN.findall(text))
    return any(is_sensitive(name) and not word.startswith("/") for name, word in words)


def redact(text: str) -> str:
    """The text with the values of sensitive options hidden, line by line, so that a diff can be shown."""

    def line(content: str) -> str:
        content = _SENSITIVE_URL.sub(rf"://\1:{_HIDDEN}@", content)
        assignment = _ASSIGNMENT.match(content)
        if assignment and _SENSITIVE_KEY.search(assignment.group(2)):
            return "".join(assignment.groups()[:3]) + _HIDDEN
        return content

    return "\n".join(line(content) for content in text.split("\n"))
