# SPDX-License-Identifier: Apache-2.0
"""Ansible's values as plain Python, and the file and line that each of them bears."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import Any

from ansible_collections.holdfast.storage.plugins.plugin_utils.yaml_files import short

Origin: Any = None
with contextlib.suppress(ImportError):  # Private, and only for messages: without it they name the host, not the file.
    from ansible._internal._datatag import _tags

    Origin = _tags.Origin

_BITS = 4096


def plain(value: Any) -> Any:
    """A value of Ansible's as plain Python, at any depth. Keys become text: JSON has no others."""
    if isinstance(value, Mapping):
        return {text(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value.bit_length() > _BITS:
        return math.inf  # No schema takes it, and Python shows no number of so many digits.
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return text(value)


def text(value: Any) -> str:
    """The text that a value is, without what it bears."""
    # str() of a subclass may give back the subclass; joining does not.
    return "".join(str(value))


def tag(value: Any) -> Any:
    """Where a value is from: ``path``, ``description``, ``line_num`` and ``col_num``; None when it is not known."""
    return Origin.get_tag(value) if Origin else None


def place(value: Any) -> str | None:
    """``file:line`` of a value."""
    found = tag(value)
    if not found:
        return None
    if not found.path and found.line_num:
        return f"-e:{found.line_num}"  # What else has lines is a file.
    return short(f"{found.path or found.description}{f':{found.line_num}' if found.line_num else ''}")
