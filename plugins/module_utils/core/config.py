# SPDX-License-Identifier: Apache-2.0
"""Configuration files from data: oslo and paste INI, JSON, YAML-free text; and what of them may be shown."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Sections = Mapping[str, Mapping[str, Any]]

_SENSITIVE_KEY = re.compile(
    r"(pass(word|phrase)?|secret|token|cookie|connection|transport_url|credential|private"
    r"|hash_path_(pre|suf)fix|(^|_)key)$",
    re.IGNORECASE,
)
_SENSITIVE_URL = re.compile(r"://([^:/@\s]+):[^@\s]+@")
_ASSIGNMENT = re.compile(r"^(\s*[\"']?)([\w.\-:]+)([\"']?\s*[=:]\s*)(.+)$")
_HIDDEN = "(hidden)"


def render_ini(sections: Sections) -> str:
    """Oslo configuration (also paste's). Order is kept; None leaves an option out.

    A list becomes comma-separated; ``{"each": [a, b]}`` repeats the option, for oslo's MultiOpt.
    """
    blocks = []
    for section, options in sections.items():
        lines = [f"[{section}]"]
        for name, value in options.items():
            values = value["each"] if isinstance(value, Mapping) else [value]
            lines += [f"{name} = {ini_value(item)}" for item in values if item is not None]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def parse_ini(text: str) -> dict[str, dict[str, str]]:
    """Sections of plain INI text, names and values as they stand, so that overrides can be laid on them."""
    parser = configparser.RawConfigParser(default_section="", strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return {section: dict(parser.items(section)) for section in parser.sections()}


def ini_value(value: Any) -> str:
    """A value as INI has it: true and false, lists with commas, further lines indented."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(ini_value(item) for item in value)
    return str(value).replace("\n", "\n    ")


def render_json(content: Any) -> str:
    """Indented JSON that ends with a newline."""
    return json.dumps(content, indent=2) + "\n"


def render_text(content: Any) -> str:
    """The text as it is, ended with a newline."""
    text = str(content)
    return text if text.endswith("\n") or not text else text + "\n"


RENDERERS: Mapping[str, Callable[[Any], str]] = {"ini": render_ini, "json": render_json, "text": render_text}


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


def redact(text: str) -> str:
    """The text with the values of sensitive options hidden, line by line, so that a diff can be shown."""

    def line(content: str) -> str:
        content = _SENSITIVE_URL.sub(rf"://\1:{_HIDDEN}@", content)
        assignment = _ASSIGNMENT.match(content)
        if assignment and _SENSITIVE_KEY.search(assignment.group(2)):
            return "".join(assignment.groups()[:3]) + _HIDDEN
        return content

    return "\n".join(line(content) for content in text.split("\n"))
