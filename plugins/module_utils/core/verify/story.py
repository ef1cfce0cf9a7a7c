# SPDX-License-Identifier: Apache-2.0
"""The stories of the domain, told against the real APIs, and the bytes that each must leave on each network.

A story is a function of ``(cloud, scene)`` that returns evidence, and raises HoldfastError when the deployment does not
behave. ``cloud`` is the client's side of the APIs, injected (``controller.cloud``). What only a host can tell comes as
``scene.facts``. Whether the bytes are where they belong is judged afterwards, from the counters (``judge``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import HoldfastError
from .payload import MIB

PREFIX = "holdfast-verify-"
TAG = "holdfast-verify"
"""Of images of verifications: it is asked for, as no list of a full cloud is."""
NOISE = MIB
"""What may be on a network where a story leaves no data: requests, updates, health checks."""
HOUSEKEEPING = 128 * 1024
"""Bytes a second and network of what goes on without any story: heartbeats, replicators that compare."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. ``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        import json

        return json.loads(self.body)


class Unfinished(Protocol):
    """A request that was begun."""

    def status(self) -> int:
        """That of the answer, which came although the request never ended; 0 when the connection was closed."""


class Cloud(Protocol):
    """What a story needs of the APIs."""

    @property
    def token_details(self) -> Mapping[str, Any]:
        """What the identity service says about the token: user, project, roles, catalog."""

    def endpoint(self, service: str) -> str:
        """The public URL of a service type, without a trailing slash."""

    def request(
        self,
        method: str,
        url: str,
        body: bytes | Sequence[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        token: bool = True,
    ) -> Answer:
        """One request over verified TLS, with the user's token unless told otherwise. No status is an error.

        A body in pieces is sent without its length, each piece as a chunk of its own.
        """

    def plain(self, url: str) -> str:
        """What a server answers to an HTTP request without TLS on the port of ``url``: the first line, or ``""``."""

    def port_states(self, addresses: Iterable[str], ports: Iterable[int]) -> list[dict[str, Any]]:
        """``{address, port, state}`` of TCP ports as the client reaches them: open, refused or filtered."""

    def authenticate(self, user: str, password: str) -> Answer:
        """Ask for a token."""

    def another(self, user: str, password: str, project: str) -> Cloud:
        """The same APIs as another user of the domain Default sees them, in a project of that domain."""

    def unfinished(self, url: str, count: int, length: int) -> AbstractContextManager[Sequence[Unfinished]]:
        """``count`` requests by POST, of which each says that ``length`` bytes follow, and sends one."""

    def open_connections(self, url: str, count: int) -> tuple[str, int]:
        """Our own address, and how many of ``count`` connections to the port of ``url`` are held at once."""


@dataclass(frozen=True)
class Scene:
    """What a story is told about.

    Attributes:
        run: this verification; contents and names come from it.
        facts: what is known of the deployment, and what tasks on the hosts found out, by name.
        now: seconds since 1970.
    """

    run: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    now: float = 0.0

    @property
    def name(self) -> str:
        """The name of the first thing of a kind that is made; those of others begin with it."""
        return f"{PREFIX}{self.run}"

    def fact(self, name: str) -> Any:
        """A fact that the story is nothing without. Raises HoldfastError when it was not given."""
        if not self.facts.get(name):
            raise HoldfastError(f"The story was not given {name}.")
        return self.facts[name]

    def told(self, name: str, key: str, problem: str) -> Mapping[str, Any]:
        """A module's result that has ``key``. Raises HoldfastError with ``problem`` and its reason when it has not."""
        said = self.fact(name)
        require(said.get(key), f"{problem}: {said.get('msg') or 'no answer'}")
        return dict(said)


@dataclass(frozen=True)
class Story:
    """One proof.

    Attributes:
        least: bytes that must be on a network (mgmt, storage, repl) at least.
        most: bytes that may be there at most beside housekeeping, when nobody else uses the deployment.
        waits: its time is that between the readings around it, since the waiting is done on the hosts.
    """

    id: str
    title: str
    tell: Callable[[Cloud, Scene], dict[str, Any]]
    least: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)
    waits: bool = False

    @property
    def realm(self) -> str:
        return self.id.partition(".")[0]


def require(condition: Any, problem: str) -> None:
    """Raise HoldfastError with ``problem`` unless the condition holds."""
    if not condition:
        raise HoldfastError(problem)


def expect(answer: Answer, *statuses: int, doing: str) -> Answer:
    """The answer, if its status is one of ``statuses``. Raises HoldfastError with what the server said otherwise."""
    if answer.status not in statuses:
        said = answer.body[:300].decode("utf-8", "replace").strip()
        wanted = " or ".join(map(str, statuses))
        raise HoldfastError(f"{doing}: status {answer.status} instead of {wanted}. It says: {said or 'nothing'}")
    return answer


def judge(story: Story, networks: Mapping[str, int], *, seconds: float, alone: bool) -> list[str]:
    """What is wrong with the bytes of a story, one sentence each.

    ``networks`` are the bytes by network name, counted over ``seconds``. ``alone`` says that nobody else used the
    deployment meanwhile: only then too many bytes mean anything.
    """
    housekeeping = int(HOUSEKEEPING * seconds)
    problems = [
        f"{networks.get(name, 0)} bytes on the network {name}, at least {int(least)} belong there"
        for name, least in story.least.items()
        if networks.get(name, 0) < least
    ]
    if alone:
        problems += [
            f"{networks.get(name, 0)} bytes on the network {name}, at most {int(most) + housekeeping} belong there"
            for name, most in story.most.items()
            if networks.get(name, 0) > most + housekeeping
        ]
    return problems
