# SPDX-License-Identifier: Apache-2.0
"""The story of who may do what with volumes: a reader, a member and an administrator of a project."""

from __future__ import annotations

import time
from typing import Any

from ..errors import HoldfastError
from ..verify import people
from ..verify.story import Cloud, Scene, Story
from .stories import WAIT_SECONDS, call, make

NAME = "roles"


def roles(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A reader sees the volume that a member makes, and changes nothing; neither sees what is the administrator's."""
    with people.of_a_project(cloud, scene, "block") as who:
        reader, member, admin = who[people.READER], who[people.MEMBER], who[people.ADMIN]
        body = {"volume": {"name": f"{scene.name}-{NAME}", "size": 1}}
        call(reader, "POST", "/volumes", 403, doing="Making a volume as a reader", body=body)
        path = f"/volumes/{make(member, scene, NAME)['id']}"
        try:
            call(reader, "GET", path, 200, doing="Looking at the member's volume as a reader")
            other = {"volume": {"name": f"{scene.name}-{NAME}-again"}}
            call(reader, "PUT", path, 403, doing="Renaming the volume as a reader", body=other)
            call(reader, "POST", f"{path}/action", 403, doing="Extending it as a reader", body=_larger())
            call(reader, "DELETE", path, 403, doing="Deleting it as a reader")
            call(member, "PUT", path, 200, doing="Renaming it as a member", body=other)
            for name, user in (("reader", reader), ("member", member)):
                call(user, "GET", "/os-services", 403, doing=f"Asking for the services as a {name}")
            call(admin, "GET", "/os-services", 200, doing="Asking for the services as an administrator")
        finally:
            call(member, "DELETE", path, 202, doing="Deleting the volume as a member")
            _wait_until_gone(member, path)
    refused = "making, renaming, extending, deleting a volume"
    return {"a reader": f"sees volumes; refused: {refused}", "a member": "did all of that", "both": "see no services"}


def _larger() -> dict[str, Any]:
    return {"os-extend": {"new_size": 2}}


def _wait_until_gone(cloud: Cloud, path: str) -> None:
    """The project goes next. Raises HoldfastError when the volume stays."""
    deadline = time.monotonic() + WAIT_SECONDS
    while call(cloud, "GET", path, 200, 404, doing="Waiting until the volume is gone").get("volume"):
        if time.monotonic() > deadline:
            raise HoldfastError(f"The volume of {path} is not gone after {WAIT_SECONDS} s.")
        time.sleep(0.5)


STORIES = (Story("block.roles", "A reader reads, a member changes, an administrator administers volumes", roles),)
