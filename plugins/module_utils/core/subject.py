# SPDX-License-Identifier: Apache-2.0
"""What a subject hands in: all that is known of one part of the domain, for the mechanism, which knows none by name.

A subject is a folder ``core/<name>/``; its ``subject.py`` has the value. ``core/subjects.py`` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .description.expressions import Names
from .description.services import Services
from .inventory.disks import Disks
from .inventory.domain import Addresses, MovingAddresses, NamedSecrets, Outsiders
from .inventory.draft import Rule
from .inventory.secrets import Form
from .inventory.shares import Shares
from .kind import Kind
from .model import Host, Model
from .verify.chapter import Chapter

Wants = Callable[[Model, Host, Services, Mapping[str, str]], dict[str, Any]]
"""What a host should have of a kind, as the options of its module; an empty value when nothing."""

Mounts = Callable[[Model, Host], list[str]]
"""The mount points at which a host's services have mounted something that stays when they stop."""


@dataclass(frozen=True)
class Subject:
    """One part of the domain.

    Attributes:
        name: its folder below ``core``.
        kinds: the kinds that stand there.
        rules: what makes an inventory wrong although each value is well-formed.
        addresses: what a host has on a network beside its address there, for the flows that say so.
        moving: which of a host's addresses on a network another host may hold for it.
        outsiders: where variables name machines that are no hosts of the inventory.
        wants: by kind, its own or another's, what it wants of a host. What several subjects want of one kind is joined.
        secrets: those that an inventory itself names, such as the passwords of users.
        expressions: what expressions of service descriptions may ask of it, by name.
        secret_forms: forms of secrets that nobody else has, by the name that descriptions give them.
        chapter: what is told of it by verify.yml.
        disks: where the variables of a host name disks that are for this subject.
        shares: where an inventory names shares on other machines that are for this subject.
        leaves: files that its kinds make on hosts and that go with the deployment, beside those of the kind ``file``.
        mounts: by phase, what that phase's services mount by themselves: it goes after they were stopped for good.
    """

    name: str
    kinds: tuple[Kind, ...] = ()
    wants: Mapping[str, Wants] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    addresses: Addresses | None = None
    moving: MovingAddresses | None = None
    outsiders: Outsiders | None = None
    secrets: NamedSecrets | None = None
    expressions: Names | None = None
    secret_forms: Mapping[str, Form] = field(default_factory=dict)
    chapter: Chapter | None = None
    disks: Disks | None = None
    shares: Shares | None = None
    leaves: tuple[str, ...] = ()
    mounts: Mapping[str, Mounts] = field(default_factory=dict)
