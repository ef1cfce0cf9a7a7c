# SPDX-License-Identifier: Apache-2.0
"""Values of the model that came out of a vault, kept apart from it: no disk of the controller has them in clear."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

HIDDEN = "(secret)"
Place = tuple[str | int, ...]
Sealed = list[tuple[Place, Any]]


def apart(content: Any, is_secret: Callable[[Place, Any], bool]) -> tuple[Any, Sealed]:
    """A copy of plain content in which ``HIDDEN`` stands for each secret value, and the values with their places."""
    sealed = [(path, value) for path, value in leaves((), content) if is_secret(path, value)]
    return together(content, [(path, HIDDEN) for path, _ in sealed]), sealed


def together(content: Any, sealed: Iterable[tuple[Iterable[str | int], Any]]) -> Any:
    """A copy of the content with the values in their places. Raises KeyError or IndexError where there is no place."""
    content = copy.deepcopy(content)
    for path, value in sealed:
        *parents, last = path
        place = content
        for key in parents:
            place = place[key]
        place[last] = value
    return content


def leaves(path: Place, content: Any) -> Iterator[tuple[Place, Any]]:
    """Every value in mappings and lists that is neither, with its place."""
    if isinstance(content, dict):
        for key, inner in content.items():
            yield from leaves((*path, key), inner)
    elif isinstance(content, (list, tuple)):
        for index, inner in enumerate(content):
            yield from leaves((*path, index), inner)
    else:
        yield path, content
