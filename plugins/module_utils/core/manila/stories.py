# SPDX-License-Identifier: Apache-2.0
"""Stories of shared file systems: a share for each way there is, reached by a client that was given access, and no
other.

A host of ``manila_client`` writes and reads as an instance would (module ``share_file``); its word comes as facts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..ceph import cluster as the_cluster
from ..description.services import Services
from ..errors import HoldfastError
from ..ganesha import nodes
from ..model import Host, Model
from ..verify import people
from ..verify.payload import MIB, content, sha256
from ..verify.story import NOISE, PREFIX, Answer, Cloud, Scene, Story, expect, require
from . import backends

SIZE = 16 * MIB
STIR = SIZE // 4
"""Bytes that may be on a network where no content is moved: metadata, and what Ceph's daemons tell one another."""
WAIT_SECONDS = 180
MOVE_SECONDS = 90
"""Within which a client goes on when the host of its NFS server is lost."""
WRITER_SECONDS = 100
STRANGER = "192.0.2.1"
"""An address of documentation: no client has it, so a share may be for it alone."""
NOBODY = "holdfast-nobody"

WAYS = {
    "nfs": "NFS, from CephFS",
    "cephfs": "CephFS itself",
    "local_nfs": "NFS, from a volume group",
    "local_cifs": "CIFS, from a volume group",
}
AGAIN, CLONE, ROLES = "again", "clone", "roles"
_LOCAL = {"NFS": "local_nfs", "CIFS": "local_cifs"}
_JSON = {"Content-Type": "application/json", "X-OpenStack-Manila-API-Version": "2.80"}
_ACCESS = {"CEPHFS": "cephx"}


def facts(model: Model, services: Services) -> dict[str,
Any]:
    """By way: the share type, the host that writes and one that reads elsewhere, and what each is told; and who is
    lost.

    ``{ways: {way: {type, protocol, shrinks, filesystem, writer, reader}}, size, seconds, moved, services_users}``; a
    client is ``{host, kernel, access}``, ``moved`` is ``{host, address}`` of the server that may be lost, or None.
    """
    clients = model.group("manila_client")
    named = {
        entry["backend"]: entry["name"] for entry in reversed(backends.share_types(services.backends["manila"], model))
    }
    found: dict[str, Any] = {}
    for _, entry in backends.backends(model):
        for protocol in backends.protocols(entry):
            way = {"cephfs_nfs": "nfs", "cephfs": "cephfs", "lvm": _LOCAL.get(protocol)}.get(entry["type"])
            able = [host for host in clients if way != "cephfs" or "ceph_client" in host.groups]
            if way and able and entry["name"] in named:
                found.setdefault(way, _way(named[entry["name"]], protocol, entry, able))
    lost = _lost(model, clients) if "nfs" in found else None
    own = [backends.user(entry) for _, entry in backends.backends(model) if entry["type"] == "cephfs"]
    users = ["glance", *own] if "cephfs" in found else []
    return {"ways": found, "size": SIZE, "seconds": WRITER_SECONDS, "moved": lost, "services_users": users}


def _way(type_: str, protocol: str, entry: Mapping[str, Any], able: list[Host]) -> dict[str, Any]:
    return {
        "type": type_,
        "protocol": protocol,
        # The driver of volume groups can not.
        "shrinks": entry["type"] != "lvm",
        "filesystem": entry.get("filesystem") or "",
        "writer": _client(able[0], protocol),
        "reader": _client(able[1], protocol) if len(able) > 1 else None,
    }


def _client(host: Host, protocol: str) -> dict[str, Any]:
    access = f"{PREFIX}{host.name.replace('.', '-')}" if protocol == "CEPHFS" else host.addresses["storage"]
    return {"host": host.name, "kernel": not host.is_container, "access": access}


def _lost(model: Model, clients: tuple[Host, ...]) -> dict[str, str] | None:
    """The server whose host may be lost: nothing else needs it, and another one takes its address."""
    host = the_cluster.dispensable_osd_host(model)
    members = model.group(nodes.GROUP)
    if host is None or host not in members or len(members) < 2 or host in clients[:1]:
        return None
    return {"host": host.name, "address": str(model.variables[nodes.ADDRESSES][host.name])}


def degraded(facts: Mapping[str, Any]) -> bool:
    """Whether the host of an NFS server can be lost while a client writes."""
    return facts["moved"] is not None


# -- the API --------------------------------------------------------------------------------------------------------


def call(cloud: Cloud, method: str, path: str, *statuses: int, doing: str, body: Any = None) -> Any:
    """What the API of shared file systems answers. Raises HoldfastError for any other status."""
    url = f"{cloud.endpoint('shared-file-system')}{path}"
    payload = json.dumps(body).encode() if body is not None else None
    answer: Answer = cloud.request(method, url, payload, _JSON)
    expect(answer, *statuses, doing=doing)
    return answer.json() if answer.body else None


def name_of(run: str, what: str) -> str:
    """The name of a thing of a verification."""
    return f"{PREFIX}{run}-{what}"


def find(cloud: Cloud, run: str, what: str, collection: str = "shares") -> dict[str, Any]:
    """A thing of a verification. Raises HoldfastError when there is none."""
    name = name_of(run, what)
    path = f"/{collection}/detail?name={name}"
    found = call(cloud, "GET", path, 200, doing=f"Looking for {name}")[collection]
    require(found, f"There is no {name} among the {collection}.")
    return dict(found[0])


def _wait(cloud: Cloud, run: str, what: str, collection: str = "shares") -> dict[str, Any]:
    """The thing when it is available. Raises HoldfastError when it is an error, or takes too long."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = find(cloud, run, what, collection)
        if found["status"] == "available":
            return
            found if "error" in found["status"]
            or time.monotonic() >
            deadline: raise HoldfastError( f"{found['name']} is {found['status']} and not available: see `journalctl -u 'manila-*'` on its "
                "hosts, and `openstack share message list`."
            )
        time.sleep(0.5)


def make(cloud: Cloud, run: str, what: str, **options: Any) -> dict[str, Any]:
    """A new share of 1 GiB, when it is available."""
    body = {"share": {"name": name_of(run, what), "size": 1, **options}}
    call(cloud, "POST", "/shares", 200, 202, doing=f"Making the share {what}", body=body)
    return _wait(cloud, run, what)


def _action(cloud: Cloud, share: str, doing: str, **action: Any) -> Any:
    return call(cloud, "POST", f"/shares/{share}/action", 200, 202, doing=doing, body=action)


def location(cloud: Cloud, share: str, prefer: str = "") -> str:
    """Where clients find a share; of several places the one that has ``prefer`` in it. Raises HoldfastError."""
    path = f"/shares/{share}/export_locations"
    listed = call(cloud, "GET", path, 200, doing="Asking where the share is")["export_locations"]
    found = sorted(entry["path"] for entry in listed if not entry.get("is_admin_only"))
    require(found, "The share has no place where clients find it.")
    return str(next((place for place in found if prefer and prefer in place), found[0]))


def rules(cloud: Cloud, share: str) -> list[dict[str, Any]]:
    """Who may reach a share: ``[{id, access_to, access_key, state, ...}]``."""
    path = f"/share-access-rules?share_id={share}"
    return list(call(cloud, "GET", path, 200, doing="Asking who may reach the share")["access_list"])


def allow(cloud: Cloud, share: str, protocol: str, client: str, wanted: str = "active") -> dict[str, Any]:
    """Let a client reach a share; its rule when it has the state that is wanted. Raises HoldfastError otherwise."""
    if not any(rule["access_to"] == client for rule in rules(cloud, share)):
        access = {"access_type": _ACCESS.get(protocol, "ip"), "access_to": client, "access_level": "rw"}
        _action(cloud, share, f"Letting {client} in", allow_access=access)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        rule = next(rule for rule in rules(cloud, share) if rule["access_to"] == client)
        has_key = protocol != "CEPHFS" or rule.get("access_key") or wanted != "active"
        if rule["state"] == wanted and has_key:
            return rule
        if rule["state"] in {"active", "error"} - {wanted} or time.monotonic() > deadline:
            raise HoldfastError(f"The rule for {client} is {rule['state']} and not {wanted}.")
        time.sleep(0.5)


def deny(cloud: Cloud, share: str, client: str) -> None:
    """Let a client reach a share no more. Raises HoldfastError when the rule stays."""
    for rule in rules(cloud, share):
        if rule["access_to"] == client:
            _action(cloud, share, f"Keeping {client} out", deny_access={"access_id": rule["id"]})
    deadline = time.monotonic() + WAIT_SECONDS
    while any(rule["access_to"] == client for rule in rules(cloud, share)):
        require(time.monotonic() < deadline, f"The rule for {client} is not gone after {WAIT_SECONDS} s.")
        time.sleep(0.5)


# -- the stories ----------------------------------------------------------------------------------------------------

Tell = Callable[[Cloud, Scene], dict[str, Any]]


def _about(scene: Scene, way: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = scene.fact("ways")[way]
    return found


def made(way: str) -> Tell:
    """A share of the type is made, on the back end that the type asks for, and somebody else may reach it."""

    def tell(cloud: Cloud, scene: Scene) -> dict[str, Any]:
        about = _about(scene, way)
        share = make(cloud, scene.run, way, share_proto=about["protocol"], share_type=about["type"])
        require(share["share_type_name"] == about["type"], f"It is of the type {share['share_type_name']}.")
        other = NOBODY if about["protocol"] == "CEPHFS" else STRANGER
        allow(cloud, share["id"], about["protocol"], other)
        place = location(cloud, share["id"])
        return {"share": share["id"], "type": about["type"], "at": place, "for": other}

    return tell


def _seed(run: str, what: str) -> str:
    return f"{run}/{what}"


def _read(scene: Scene, fact: str, what: str) -> dict[str, Any]:
    """What a client read. Raises HoldfastError when it is not what was to be written."""
    said = scene.told(fact, "sha256", "The share could not be read")
    wanted = sha256(content(_seed(scene.run, what), SIZE))
    require(
        said["sha256"] == wanted, f"{said['location']} holds other content: SHA-256 {said['sha256']}, not {wanted}."
    )
    return {"share": said["location"], "bytes": SIZE, "sha256": said["sha256"], "read by": said["host"]}


def refused(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A client that was not named, or is not any more, is refused."""
    said = scene.told("refused", "refused", "The share did not refuse the client")
    return {"client": said["host"], "refused": said["refused"][:200]}


def written(way: str) -> Tell:
    """The client that was let in wrote it and read it back."""
    return lambda cloud, scene: _read(scene, "written", way)


def read(way: str) -> Tell:
    """Another client that was let in reads the same."""
    return lambda cloud, scene: _read(scene, "read", way)


def kept(way: str) -> Tell:
    """A snapshot is made, and of it a share."""

    def tell(cloud: Cloud, scene: Scene) -> dict[str, Any]:
        about, share = _about(scene, way), find(cloud, scene.run, way)
        body = {"snapshot": {"name": name_of(scene.run, way), "share_id": share["id"]}}
        call(cloud, "POST", "/snapshots", 202, doing="Making a snapshot", body=body)
        snapshot = _wait(cloud, scene.run, way, "snapshots")
        options = {"share_proto": about["protocol"], "share_type": about["type"], "snapshot_id": snapshot["id"]}
        clone = make(cloud, scene.run, f"{way}-{CLONE}", **options)
        return {"snapshot": snapshot["id"], "share": clone["id"]}

    return tell


def restored(way: str) -> Tell:
    """The share of the snapshot holds what was there when it was made; the first share was written over since."""

    def tell(cloud: Cloud, scene: Scene) -> dict[str, Any]:
        _read(scene, "rewritten", f"{way}-{AGAIN}")
        return _read(scene, "restored", way)

    return tell


def sized(way: str) -> Tell:
    """The share grows; where the back end can, it shrinks again."""

    def tell(cloud: Cloud, scene: Scene) -> dict[str, Any]:
        share = find(cloud, scene.run, way)["id"]
        sizes = [1]
        for action, size in (("extend", 2), ("shrink", 1)) if _about(scene, way)["shrinks"] else (("extend", 2),):
            _action(cloud, share, f"Asking for {size} GiB", **{action: {"new_size": size}})
            now = _wait(cloud, scene.run, way)["size"]
            require(now == size, f"The share has {now} GiB instead of {size}.")
            sizes.append(now)
        return {"share": share, "GiB": sizes}

    return tell


def reserved(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Nobody gets the key of a service's user of Ceph, whether the service is there or not (OSSN-0085, OSSN-0087)."""
    share = find(cloud, scene.run, "cephfs")["id"]
    names = scene.fact("services_users")
    for name in names:
        allow(cloud, share, "CEPHFS", name, wanted="error")
        shown = [rule for rule in rules(cloud, share) if rule["access_to"] == name and rule.get("access_key")]
        require(not shown, f"The API tells a key for {name}.")
        deny(cloud, share, name)
    access = {"access_type": "cephx", "access_to": "client.admin", "access_level": "rw"}
    path = f"/shares/{share}/action"
    call(cloud, "POST", path, 400, doing="Asking for client.admin", body={"allow_access": access})
    return {"refused": [*names, "client.admin"]}


def role_rights(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A reader sees shares of the project and makes, renames and deletes none; a member does; neither sees services."""
    about = next(iter(scene.fact("ways").values()))
    with people.of_a_project(cloud, scene, "shares") as who:
        reader, member, admin = who[people.READER], who[people.MEMBER], who[people.ADMIN]
        kind = {"share_proto": about["protocol"], "share_type": about["type"]}
        body = {"share": {"name": name_of(scene.run, ROLES), "size": 1, **kind}}
        call(reader, "POST", "/shares", 403, doing="Making a share as a reader", body=body)
        path = f"/shares/{make(member, scene.run, ROLES, **kind)['id']}"
        try:
            call(reader, "GET", path, 200, doing="Looking at the member's share as a reader")
            other = {"share": {"display_name": name_of(scene.run, f"{ROLES}-again")}}
            call(reader, "PUT", path, 403, doing="Renaming the share as a reader", body=other)
            call(reader, "DELETE", path, 403, doing="Deleting it as a reader")
            call(member, "PUT", path, 200, doing="Renaming it as a member", body=other)
            for name, user in (("reader", reader), ("member", member)):
                call(user, "GET", "/services", 403, doing=f"Asking for the services as a {name}")
            call(admin, "GET", "/services", 200, doing="Asking for the services as an administrator")
        finally:
            call(member, "DELETE", path, 202, doing="Deleting the share as a member")
            _wait_until_gone(member, path)
    refused_ = "making, renaming, deleting a share"
    return {"a reader": f"sees shares; refused: {refused_}", "a member": "did all of that", "both": "see no services"}


def _wait_until_gone(cloud: Cloud, path: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while call(cloud, "GET", path, 200, 404, doing="Waiting until the share is gone").get("share"):
        require(time.monotonic() < deadline, f"The share of {path} is not gone after {WAIT_SECONDS} s.")
        time.sleep(0.5)


def moved(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A client that wrote to the server of a lost host went on in time; one that the kernel serves, with its lock."""
    said = scene.told("writer", "writes", "The client could not write")
    require(
        said["longest"] <= MOVE_SECONDS,
        f"A write waited {said['longest']} s for the server to move, more than {MOVE_SECONDS}.",
    )
    kernel = scene.fact("ways")["nfs"]["writer"]["kernel"]
    require(said["locked"] or not kernel, "The client lost its lock.")
    lost = {"lost": scene.fact("lost"), "longest wait in seconds": said["longest"], "writes": said["writes"]}
    return {**lost, "lock": "kept" if kernel else "not asked for: the client is in user space"}


def sweep(cloud: Cloud) -> int:
    """Remove every share and snapshot of verifications, and wait until they are gone. Returns how many there were."""
    ours: set[str] = set()
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        left = [
            (collection, entry)
            for collection in ("snapshots", "shares")
            for entry in _everywhere(cloud, collection)
            if str(entry["name"]).startswith(PREFIX)
        ]
        if not left:
            break
        ours |= {entry["id"] for _, entry in left}
        for collection, entry in left:
            if entry["status"] == "available" or "error" in entry["status"]:
                url = f"{cloud.endpoint('shared-file-system')}/{collection}/{entry['id']}"
                cloud.request("DELETE", url, None, _JSON)
        time.sleep(1)
    return len(ours)


def _everywhere(cloud: Cloud, collection: str) -> list[dict[str, Any]]:
    path = f"/{collection}/detail?all_tenants=1&name~={PREFIX}"
    return list(call(cloud, "GET", path, 200, doing="Looking for leftovers")[collection])


def _of(way: str, title: str) -> tuple[Story, ...]:
    quiet = {"storage": STIR, "repl": STIR}
    moves = {"storage": SIZE}
    return (
        Story(f"file.{way}", f"A share for {title} is made, and somebody may reach it", made(way), most=quiet),
        Story(
            f"file.{way}_refused", f"A client that nobody named is refused: {title}", refused, most={"storage": STIR}
        ),
        Story(
            f"file.{way}_written",
            f"A client that was given access writes it and reads it back: {title}",
            written(way),
            least={"storage": 2 * SIZE},
            most={"mgmt": STIR},
        ),
        Story(
            f"file.{way}_read", f"Another client reads the same: {title}", read(way), least=moves, most={"mgmt": STIR}
        ),
        Story(f"file.{way}_kept", f"A snapshot of it becomes a share: {title}", kept(way)),
        Story(
            f"file.{way}_restored",
            f"That holds what the snapshot kept: {title}",
            restored(way),
            least=moves,
            most={"mgmt": STIR},
        ),
        Story(f"file.{way}_sized", f"A share grows, and shrinks where it can: {title}", sized(way), most=quiet),
        Story(
            f"file.{way}_revoked", f"Whose access was taken away is refused: {title}", refused, most={"storage": STIR}
        ),
    )


STORIES = (
    *(story for way, title in WAYS.items() for story in _of(way, title)),
    Story("file.reserved", "Nobody gets the key of a service's user of Ceph", reserved, most={"storage": NOISE}),
    Story("file.roles", "A reader reads, a member changes, an administrator administers shares", role_rights),
    Story(
        "file.moved",
        "The host of an NFS server is lost while a client writes: it goes on",
        moved,
        least={"storage": 1000},
        waits=True,
    ),
)
