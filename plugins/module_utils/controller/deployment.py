# SPDX-License-Identifier: Apache-2.0
"""A deployment as the controller's plugins share it: the run directory, the descriptions, and the secrets.

The run directory holds what one action leaves for the next: ``model.json``, ``bundles/``,
``questions/HOST.json``, ``probe/HOST.json`` and ``plan.json``, readable by their owner only, and never a secret.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import pwd
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core.description.claims import claims
from ..core.description.load import Description, backends_of, load, overrides_of
from ..core.description.services import Services
from ..core.errors import HoldfastError
from ..core.inventory import secrets as secret_forms
from ..core.inventory.domain import Domain
from ..core.inventory.secrets import Form
from ..core.kind import Kind
from ..core.model import Host, Model
from ..core.plan import lock, planning, probe
from ..core.subjects import ADDRESSES, EXPRESSIONS, MOVING, NAMED_SECRETS, ORDER, OUTSIDERS, SECRET_FORMS
from . import sealed as sealed_values

COLLECTION = Path(__file__).resolve().parents[3]


@functools.cache
def descriptions(roles: Path = COLLECTION / "roles") -> tuple[Description, ...]:
    """Every role's service.yml. Raises HoldfastError with all that is wrong in them."""
    return load(roles, ORDER.applied)


@functools.cache
def known_secrets() -> Mapping[str, Form]:
    """The secrets of all services, deployed or not: names in order, with their forms."""
    return secrets_of(descriptions())


def secrets_of(described: Iterable[Description]) -> dict[str, Form]:
    """The secrets that some services need: names in order, with their forms."""
    return secret_forms.required((description.content for description in described), SECRET_FORMS)


def is_public(secret: str) -> bool:
    """Whether a secret, by its name, is one that may be shown."""
    form = known_secrets().get(secret)
    return form is not None and form.is_public


@functools.cache
def domain() -> Domain:
    """What checking an inventory needs to know of the services and subjects that there are."""
    return domain_of(descriptions())


def domain_of(found: Iterable[Description]) -> Domain:
    """The same for some services."""
    found = tuple(found)
    contents = tuple(description.content for description in found)
    return Domain(
        services=contents,
        backends=backends_of(found),
        claims=claims,
        addresses=ADDRESSES,
        moving=MOVING,
        outsiders=OUTSIDERS,
        secrets=NAMED_SECRETS,
        secret_families=secret_forms.families(contents, SECRET_FORMS),
        overrides=overrides_of(found),
    )


class RunDirectory:
    """Where one run keeps what its parts tell each other."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def write(self, name: str, content: Any) -> None:
        """JSON, whole or not at all, 0600. Raises HoldfastError in an orphan."""
        refuse_orphan()
        target = self.path / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(content, stream)
        temporary.replace(target)

    def read(self, name: str) -> Any:
        try:
            return json.loads((self.path / name).read_text())
        except FileNotFoundError:
            raise HoldfastError(
                f"{self.path / name} is missing: an earlier phase has not run. Run the playbook from its start."
            ) from None

    def clear(self, *names: str) -> None:
        for name in names:
            shutil.rmtree(self.path / name, ignore_errors=True)

    def refuse_second(self) -> None:
        """Raise HoldfastError when a living run of this controller holds the lock."""
        path = self.path / "lock.json"
        held = json.loads(path.read_text()).get("holder") if path.exists() else None
        if held and held["pid"] != os.getppid() and not is_stale(held):
            raise HoldfastError(
                f"Another run is under way: {lock.describe(held)}. Nothing was changed. "
                f"Fix: let it end. If its controller is gone for good, remove {path}."
            )

    def model(self, sealed: sealed_values.Sealed | None = None) -> Model:
        """The model, without what came out of a vault unless that is given."""
        try:
            return Model.from_dict(sealed_values.together(self.read("model.json"), sealed or ()))
        except (KeyError, IndexError, TypeError):
            path = self.path / "model.json"
            raise HoldfastError(
                f"{path} is of another version. Fix: run playbooks/plan.yml, then this again."
            ) from None

    def answers(self, hosts: Iterable[str]) -> dict[str, dict[str, Any]]:
        return {host: self.read(f"probe/{host}.json") for host in hosts if (self.path / f"probe/{host}.json").exists()}


@dataclass(frozen=True)
class Deployment:
    """The model with its services and secrets, in memory only."""

    model: Model
    services: Services
    secrets: Mapping[str, str]

    @classmethod
    def of(cls, model: Model, secrets: Mapping[str, str]) -> Deployment:
        return cls(model, Services(descriptions(), model, secrets, expressions=EXPRESSIONS), secrets)

    def write_questions(self, run: RunDirectory, holder: Mapping[str, Any] | None) -> None:
        """Leave for each host what the probe asks it. Refused while another run works in this run directory.

        ``holder`` is this run, when it may change things.
        """
        run.refuse_second()
        run.clear("bundles", "questions", "probe")
        run.write("lock.json", {"host": self.lock_host.name, "holder": holder})
        bundles: dict[tuple[str, ...], str] = {}
        for host in self.model.hosts.values():
            asked = planning.questions(ORDER, self.model, host, self.services, self.secrets)
            kinds = {step.name: probe.below(step.module) for step, _ in asked}
            modules = tuple(sorted(set(kinds.values())))
            if modules not in bundles:
                bundles[modules] = f"bundles/{len(bundles)}.json"
                run.write(bundles[modules], probe_bundle(step.module for step, _ in asked))
            questions = {step.name: question for step, question in asked}
            run.write(f"questions/{host.name}.json", {"bundle": bundles[modules], "kinds": kinds, "asked": questions})

    def plan(self, answers: Mapping[str, Mapping[str, Any]]) -> planning.DeploymentPlan:
        return planning.plan(ORDER, self.model, self.services, self.secrets, answers)

    @property
    def lock_host(self) -> Host:
        """The host that keeps the lock: the first with the identity service, else the first of all."""
        return (self.model.group("keystone") or tuple(h for _, h in sorted(self.model.hosts.items())))[0]


def probe_bundle(kinds: Iterable[Kind]) -> str:
    """The sources of a probe of these kinds, read from the collection and packed."""
    return probe.bundle({name: _source(name) or "" for name in probe.modules(kinds, _source)})


@functools.cache
def _source(name: str) -> str | None:
    path = COLLECTION / "plugins" / "module_utils" / f"{name}.py"
    return path.read_text() if path.exists() else None


def holder(command: str) -> dict[str, Any]:
    """This run as a holder of the lock. ``pid`` and ``started`` name the ansible-playbook process for certain.

    Raises HoldfastError when that is gone.
    """
    pid = os.getppid()
    own = {
        "user": os.environ.get("SUDO_USER") or _user(),
        "controller": os.uname().nodename,
        "machine": _machine(),
        "boot": _boot(),
        "pid": pid,
        "started": _started(pid),
        "namespace": _namespace(),
        "command": command,
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    refuse_orphan()
    return own


def refuse_orphan() -> None:
    """Raise HoldfastError when ansible-playbook, for which this process does a task, was killed.

    Its processes for tasks outlive it, and would go on beside the next run.
    """
    parent = multiprocessing.parent_process()
    if parent and parent.pid != os.getppid():
        raise HoldfastError("The run that this belongs to is gone. Nothing more is done by it.")


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def is_stale(held: Mapping[str, Any]) -> bool:
    """True when the holder ran on this machine and its process is gone.

    Copies of a machine, and containers of one image, may all have the same identity: their names differ, or the
    namespaces in which their processes have numbers.
    """
    if held["machine"] != _machine() or held["controller"] != os.uname().nodename:
        return False
    if held["boot"] != _boot():
        return True
    return held.get("namespace") == _namespace() and _started(held["pid"]) != held["started"]


def _machine() -> str:
    identity = Path("/etc/machine-id")
    return (identity.read_text().strip() if identity.exists() else "") or os.uname().nodename


def _namespace() -> str:
    return os.readlink("/proc/self/ns/pid")


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot, or None when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return None
