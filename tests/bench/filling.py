#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fill a cloud with what users have, or take that out again (`--empty`).

300 containers with 2,000 small objects, 50 images, 100 volumes, 300 users, and 300 projects in which one of them is a
member each. What is there already is left as it is, so a run that was killed is finished by the next. Containers,
images and volumes are in a project of their own; users and projects have its name before theirs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.holdfast.storage.plugins.module_utils.controller.cloud import Client  # noqa: E402
from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import RunDirectory  # noqa: E402
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError as HoldfastError  # noqa: E402
from ansible_collections.holdfast.storage.plugins.module_utils.core.lab.names import CGROUP as CGROUP  # noqa: E402
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import expect  # noqa: E402

NAME = "holdfast-bench"
CONTAINERS, OBJECTS, IMAGES, VOLUMES, PEOPLE = 300, 2000, 50, 100, 300
OBJECT, IMAGE = b"holdfast" * 512, bytes(64 * 1024)
AT_ONCE = 8
"""Requests at a time: more than a small machine answers faster would only wait for one another."""
PATIENCE = 900
"""Seconds within which all volumes are made, or gone."""

Entry = Mapping[str, Any]


def names(what: str, count: int) -> list[str]:
    return [f"{what}-{number:04d}" for number in range(count)]


def place(number: int) -> tuple[str, str]:
    """The container and the name of an object: they go round, so that each container has some."""
    return f"container-{number % CONTAINERS:04d}", f"object-{number:04d}"


def each(do: Callable[[Any], Any], things: Iterable[Any]) -> int:
    """Do it for all of them, some at a time. Returns how many there were; raises the first error."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return len(list(pool.map(do, things)))


class Realm:
    """One API of one cloud, as one user: JSON both ways."""

    def __init__(self, cloud: Client, service: str, path: str = "") -> None:
        self.cloud, self.base = cloud, f"{cloud.endpoint(service)}{path}"

    def call(self, method: str, path: str, *statuses: int, body: Any = None) -> Any:
        """What it answers; data if ``body`` is bytes. Raises HoldfastError when it has another status."""
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": kind} if sent is not None else {}
        answer = self.cloud.request(method, f"{self.base}{path}", sent, headers)
        expect(answer, *statuses, doing=f"{method} {path}")
        return answer.json() if answer.body and "json" in answer.headers.get("content-type", "") else None

    def remove(self, path: str) -> None:
        self.call("DELETE", path, 202, 204, 404)


class Filling:
    """What the bench has in a cloud, of which ``cloud`` is the administrator."""

    def __init__(self, cloud: Client) -> None:
        self.cloud = cloud
        self.identity = Realm(cloud, "identity")

    def people(self, collection: str) -> dict[str, str]:
        """Ids by name of the users or projects; the bench's own project is one of those."""
        found = self.identity.call("GET", f"/{collection}?name__istartswith={NAME}", 200)[collection]
        return {entry["name"]: entry["id"] for entry in found}

    def fill(self) -> dict[str, int]:
        """Make what is missing. Returns how many of each were made."""
        made = self._fill_identity()
        own = self.cloud.another(self.cloud.auth["username"], self.cloud.auth["password"], NAME)
        return {**made, **self._fill_objects(own), **self._fill_images(own), **self._fill_volumes(own)}

    def _role(self, name: str) -> str:
        return str(self.identity.call("GET", f"/roles?name={name}", 200)["roles"][0]["id"])

    def _fill_identity(self) -> dict[str, int]:
        wanted = names(NAME, PEOPLE)
        made = {}
        for collection, all_of_them in (("projects", [NAME, *wanted]), ("users", wanted)):
            missing = set(all_of_them) - set(self.people(collection))

            def make(name: str, one: str = collection[:-1]) -> None:
                self.identity.call("POST", f"/{one}s", 201, body={one: {"name": name, "domain_id": "default"}})

            made[collection] = each(make, sorted(missing))
        projects, users, member = self.people("projects"), self.people("users"), self._role("member")
        mine = self.cloud.token_details["user"]["id"]
        paths = [f"/projects/{projects[name]}/users/{users[name]}/roles/{member}" for name in wanted]
        paths.append(f"/projects/{projects[NAME]}/users/{mine}/roles/{self._role('admin')}")
        each(lambda path: self.identity.call("PUT", path, 204), paths)
        return made

    def _fill_objects(self, own: Client) -> dict[str, int]:
        store = Realm(own, "object-store")
        listed = _containers(store)
        missing = [name for name in names("container", CONTAINERS) if name not in listed]
        made = {"containers": each(lambda name: store.call("PUT", f"/{name}", 201, 202), missing)}
        there = {(name, found) for name in listed for found in _objects(store, name)}
        missing_objects = [where for where in map(place, range(OBJECTS)) if where not in there]
        return {
            **made,
            "objects": each(lambda where: store.call("PUT", "/" + "/".join(where), 201, body=OBJECT), missing_objects),
        }

    def _fill_images(self, own: Client) -> dict[str, int]:
        api = Realm(own, "image", "/v2/images")
        found = _images(api, own)

        def make(name: str) -> None:
            form = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "private"}
            number = found[name]["id"] if name in found else api.call("POST", "", 201, body=form)["id"]
            api.call("PUT", f"/{number}/file", 204, body=IMAGE)

        missing = [name for name in names("image", IMAGES) if found.get(name, {}).get("status") != "active"]
        return {"images": each(make, missing)}

    def _fill_volumes(self, own: Client) -> dict[str, int]:
        api = Realm(own, "block-storage")
        limits = {"quota_set": {"volumes": -1, "gigabytes": -1}}
        api.call("PUT", f"/os-quota-sets/{own.token_details['project']['id']}", 200, body=limits)
        found = {entry["name"] for entry in _volumes(api)}
        missing = [name for name in names("volume", VOLUMES) if name not in found]
        made = each(lambda name: api.call("POST", "/volumes", 202, body={"volume": {"name": name, "size": 1}}), missing)
        _wait(api, lambda left: all(entry["status"] == "available" for entry in left), "made", ("error",))
        return {"volumes": made}

    def empty(self) -> dict[str, int]:
        """Remove all of it. Returns how many of each there were."""
        gone = {}
        if NAME in self.people("projects"):
            own = self.cloud.another(self.cloud.auth["username"], self.cloud.auth["password"], NAME)
            gone = {**_empty_volumes(own), **_empty_images(own), **_empty_objects(own)}
        for collection in ("users", "projects"):
            paths = [f"/{collection}/{number}" for number in self.people(collection).values()]
            gone[collection] = each(self.identity.remove, paths)
        return gone

    @property
    def is_there(self) -> bool:
        """Whether the cloud has any of it."""
        return bool(self.people("projects") or self.people("users"))


def _containers(store: Realm) -> set[str]:
    return {entry["name"] for entry in store.call("GET", "?format=json", 200, 204) or ()}


def _objects(store: Realm, container: str) -> list[str]:
    return [entry["name"] for entry in store.call("GET", f"/{container}?format=json", 200, 204) or ()]


def _images(api: Realm, own: Client) -> dict[str, Entry]:
    owner = own.token_details["project"]["id"]
    return {entry["name"]: entry for entry in api.call("GET", f"?owner={owner}&limit=1000", 200)["images"]}


def _volumes(api: Realm) -> Sequence[Entry]:
    found: Sequence[Entry] = api.call("GET", "/volumes/detail?limit=1000", 200)["volumes"]
    return found


def _wait(api: Realm, done: Callable[[Sequence[Entry]], bool], what: str, broken: Sequence[str]) -> None:
    """Until the volumes are as they should be. Raises HoldfastError when one is broken, or it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not done(left := _volumes(api)):
        failed = [f"{entry['name']} is {entry['status']}" for entry in left if entry["status"] in broken]
        if failed or time.monotonic() > deadline:
            why = ", ".join(failed[:5]) or f"{len(left)} are there after {PATIENCE} s"
            raise HoldfastError(f"Not all volumes are {what}: {why}. See `journalctl -u '*cinder*'` on their hosts.")
        time.sleep(2)


def _empty_volumes(own: Client) -> dict[str, int]:
    """A volume that is being made is removed when it is there."""
    api = Realm(own, "block-storage")
    removed: set[str] = set()

    def done(left: Sequence[Entry]) -> bool:
        ready = {entry["id"] for entry in left if entry["status"] in ("available", "error")} - removed
        each(api.remove, [f"/volumes/{number}" for number in ready])
        removed.update(ready)
        return not left

    _wait(api, done, "gone", ("error_deleting",))
    return {"volumes": len(removed)}


def _empty_images(own: Client) -> dict[str, int]:
    api = Realm(own, "image", "/v2/images")
    return {"images": each(api.remove, [f"/{entry['id']}" for entry in _images(api, own).values()])}


def _empty_objects(own: Client) -> dict[str, int]:
    store = Realm(own, "object-store")
    containers, objects = _containers(store), 0
    deadline = time.monotonic() + PATIENCE
    while left := [f"/{name}/{found}" for name in containers for found in _objects(store, name)]:
        if time.monotonic() > deadline:
            raise HoldfastError(f"{len(left)} objects are listed {PATIENCE} s after they were deleted.")
        objects = max(objects, each(store.remove, left))
    return {"objects": objects, "containers": each(store.remove, [f"/{name}" for name in containers])}


def of_deployment(artifacts: Path, run: Path | None = None) -> Filling:
    """That of a deployment, whose clouds.yaml is in ``artifacts``. Raises HoldfastError when it has none."""
    model = RunDirectory(run or artifacts / "run").model()
    return Filling(Client.from_file(artifacts / "clouds.yaml", model.deployment))


def told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--empty", action="store_true", help="take out what is there, and make nothing")
    parser.add_argument("--artifacts", type=Path, default=ROOT / ".lab", help="where clouds.yaml is")
    parser.add_argument("--run", type=Path, help="the run directory, artifacts/run unless it is told")
    given = parser.parse_args()
    try:
        filling, began = of_deployment(given.artifacts, given.run), time.monotonic()
        counts = filling.empty() if given.empty else filling.fill()
    except HoldfastError as error:
        print(error)
        return 1
    print(f"{'Removed' if given.empty else 'Made'} {told(counts)} in {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
