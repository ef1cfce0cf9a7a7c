# SPDX-License-Identifier: Apache-2.0
"""No function and no file of Python is longer than one can keep in mind."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FUNCTION_LINES, FILE_LINES = 60, 500


def sources() -> Iterator[tuple[Path, str]]:
    """Python files of the project, with their text; scripts have no suffix."""
    for folder in ("plugins", "scripts", "tests", "molecule"):
        for path in sorted((ROOT / folder).rglob("*")):
            made = any(part.startswith((".", "__")) for part in path.relative_to(ROOT).parts[:-1])
            if path.is_file() and path.suffix in (".py", "") and not made:
                text = path.read_text(errors="replace")
                if path.suffix or text.partition("\n")[0].endswith("python3"):
                    yield path.relative_to(ROOT), text


def test_no_function_is_over_sixty_lines() -> None:
    long = [
        f"{path}: {node.name} has {lines} lines"
        for path, text in sources()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for lines in [(node.end_lineno or 0) - node.lineno + 1]
        if lines > FUNCTION_LINES
    ]
    assert long == []


def test_no_file_is_over_five_hundred_lines() -> None:
    long = [
        f"{path} has {lines} lines" for path, text in sources() for lines in [text.count("\n")] if lines > FILE_LINES
    ]
    assert long == []
