# SPDX-License-Identifier: Apache-2.0
"""Numbers and dates in YAML that are read as others than they look."""

from __future__ import annotations

import math
import re

import yaml
from ansible.parsing.dataloader import DataLoader

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding
from ansible_collections.holdfast.storage.plugins.plugin_utils import yaml_files

_BASE = re.compile(r"[-+]?0[bx]", re.I)

Odd = dict[tuple[int, int], tuple[str, bool]]
"""See ``in_file``."""


def in_file(path: str, loader: DataLoader | None) -> Odd:
    """By line and column, the numbers and dates that YAML reads otherwise than they look: 0200, 1:30, 0x1F.

    Each with its text, and whether it is another number than the same digits are to people.
    """
    content = yaml_files.file_content(path, loader)
    return {} if isinstance(content, Finding) else _odd_in(path, content)


def on_command_line() -> list[Odd]:
    """The same of each text of variables that the command line gives."""
    return [_odd_in("-e", text.encode()) for text in yaml_files.inline_texts()]


def _odd_in(path: str, content: bytes) -> Odd:
    root = yaml_files.composed(path, content)
    if not isinstance(root, yaml.Node):
        return {}
    found = {}
    for node in yaml_files.nodes(root):
        if isinstance(node, yaml.ScalarNode) and (odd := _odd(node)) is not None:
            found[node.start_mark.line + 1, node.start_mark.column + 1] = (node.value, odd)
    return found


def _odd(node: yaml.ScalarNode) -> bool | None:
    """Whether a number or a date is read as another one; None for one that is what it looks like."""
    kind, text = node.tag.rpartition(":")[2], node.value
    if kind not in ("int", "float", "timestamp"):
        return None
    try:
        value = yaml.SafeLoader("").construct_object(node)
        if kind == "timestamp":
            return None if str(value) == text else True
        if kind == "float":
            return None if not math.isfinite(value) or float(text.replace("_", "")) == value else True
    except (ValueError, LookupError, AttributeError, yaml.YAMLError):
        return True
    if _BASE.match(text):
        return False
    digits = text.replace("_", "")
    if not digits.lstrip("+-").isdecimal() or int(digits) != value:
        return True
    return None if digits == text else False
