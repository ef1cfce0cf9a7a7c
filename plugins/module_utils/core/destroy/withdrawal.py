# SPDX-License-Identifier: Apache-2.0
"""A deployment taken off a host: the units of every phase stopped, last phase first, then their files removed.

Directories stay, as they may hold data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..base.kinds import disk
from ..description.services import Services
from ..errors import HoldfastError
from ..model import Host, Model
from ..plan import planning
from ..plan.registry import Order
from ..subject import Mounts


def confirm(model: Model, name: Any) -> None:
    """Raises HoldfastError unless ``name`` is the deployment's, as somebody types who means it."""
    if name != model.deployment:
        raise HoldfastError(
            f"destroy is {name!r}, and this inventory's holdfast_deployment is {model.deployment!r}: nothing was "
            "changed. Name the deployment that you mean to destroy."
        )


def parts(
    order: Order,
    mounts: Iterable[tuple[str, Mounts]],
    left: Iterable[str],
    model: Model,
    host: Host,
    services: Services,
    secrets: Mapping[str, str],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Modules and their arguments, in the order in which they are to run.

    ``mounts``: see ``Subject.mounts``; each with its phase. ``left``: see ``Subject.leaves``.
    """
    mounts = tuple(mounts)
    steps = [step for step in reversed(order.steps) if step.kind in ("unit", "file")]
    files = []
    for step, wanted in planning.wanted(model, host, services, secrets, steps):
        if step.kind == "file":
            files += [entry for entry in wanted["files"] if _goes(entry)]
            continue
        stopped = [{**unit, "state": "stopped", "enabled": False} for unit in wanted["units"]]
        places = [place for phase, of in mounts if phase == step.phase for place in of(model, host)]
        # Each list is stopped as a whole, what stands on others before them.
        for units in (stopped, [_stopped_mount(place) for place in places]):
            if units:
                yield "unit", {"units": units}
    gone = [*(_without(entry) for entry in files), *({"path": path, "state": "absent"} for path in left)]
    yield "file", {"files": gone}


def _goes(file: Mapping[str, Any]) -> bool:
    return bool(file.get("state", "file") != "directory")


def _without(file: Mapping[str, Any]) -> dict[str, Any]:
    """The entry that takes away what is ours: of somebody else's file our part."""
    if file.get("state") == "block":
        return {**file, "content": ""}
    return {"path": file["path"], "state": "absent"}


def _stopped_mount(place: str) -> dict[str, Any]:
    """The unit of a mount, which no description has."""
    return {"name": disk.unit_name(place), "state": "stopped", "enabled": False, "inputs": [], "packages": []}
