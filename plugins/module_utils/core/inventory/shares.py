# SPDX-License-Identifier: Apache-2.0
"""Shares on other machines that an inventory names: each subject says where, and the rules are asked of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .draft import Draft, DraftHost
from .schema import KeyPath


@dataclass(frozen=True)
class Use:
    """A share, where a service names it.

    Attributes:
        text: ``SERVER:/PATH`` as it is written.
        path: where it stands in the variables.
        purpose: what the service keeps there.
        holder: what has it, for a sentence; one holder may have it on several hosts.
        host: whose variables they are; None for those of all.
    """

    text: str
    path: KeyPath
    purpose: str
    holder: str
    host: DraftHost | None = None


Shares = Callable[[Draft], Iterator[Use]]
"""The shares that a subject finds in a draft; what is incomplete is left out."""
