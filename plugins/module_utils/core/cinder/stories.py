# SPDX-License-Identifier: Apache-2.0
"""Stories of the volume service on RBD: written, snapshot, cloned, extended, retyped, backed up, made from an image.

What is in a volume is written and read by an RBD client on a host of br-storage (module ``rbd_image``), as a hypervisor
would; its word comes as facts. Content is made again from its name, so nothing has to be carried along.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from .. import flows
from ..ceph import cluster as the_cluster
from ..description.services import Services
from ..errors import HoldfastError
from ..model import Host, Model
from ..verify.payload import MIB, content, md5, sha256
from ..verify.story import PREFIX, TAG, Answer, Cloud, Scene, Story, expect, require
from . import backends

VOLUME_SIZE = 16 * MIB
"""Bytes that are written to a volume, and of the image from which one is made."""

STIR = VOLUME_SIZE // 4
"""Bytes that may be on a network where a story moves no content: metadata, and what Ceph's daemons tell one another."""

WAIT_SECONDS = 180
START_SECONDS = 600
"""Within which a back end is up after its start."""
_JSON = {"Content-Type": "application/json"}
# The version in which backups and types are what these stories expect.
_VERSION = {"OpenStack-API-Version": "volume 3.60"}

DISK, CLONE, RESTORED, IMAGE = "disk", "clone", "restored", "image"
# What the volume is written over with, when there is a snapshot of it.
AGAIN = "again"
# What it is written over with while OSDs are missing.
DEGRADED = "degraded"


def facts(model: Model, services: Services) -> dict[str, Any]:
    """The type that volumes get, another of the same back end, and who reads and writes volumes on RBD."""
    types = backends.volume_types(model)
    default = next((entry for entry in types if entry.get("default")), None)
    others = (
        entry["name"]
        for entry in types
        if default and entry is not default and entry["backend"] == default["backend"] is not None
    )
    host, rbd = _client(model, default)
    lost = the_cluster.dispensable_osd_host(model)
    stores = model.variables.get("glance_stores") or ()
    images = {"address": model.variables["haproxy_address"], "port": flows.port("glance_api_internal")}
    return {
        "type": default["name"] if default else None,
        "other_type": next(others, None),
        "rbd": rbd,
        "backups": bool(model.group("cinder_backup")),
        "lost_host": lost.name if lost and lost is not host else None,
        "ceph_host": next((mon.name for mon in model.group("ceph_mon") if mon is not lost), None),
        "rbd_store": next((store["name"] for store in stores if store["type"] == "rbd"), None),
        "internal_image_api": images if model.group("glance_api") else None,
    }


def _client(model: Model, default: Mapping[str, Any] | None) -> tuple[Host | None, dict[str, Any] | None]:
    """The host that reads and writes volumes of the default type on RBD, and what it is told; else twice None."""
    for host, backend in backends.backends(model):
        if backend["type"] == "rbd" and default and default["backend"] in (None, backend["name"]):
            user, pool = backend.get("ceph_user") or "cinder", backend.get("pool") or "volumes"
            return host, {"host": host.name, "pool": pool, "user": user, "size": VOLUME_SIZE}
    return None, None


def degraded(facts: Mapping[str, Any]) -> bool:
    """Whether a host with OSDs can be lost while a volume on them is read and written."""
    return facts["rbd"] is not None and facts["lost_host"] is not None


def seed(run: str, what: str) -> str:
    """The name from which the content of a thing of a verification is made; the host that writes it has the same."""
    return f"{run}/{what}"


def _name(scene: Scene, what: str) -> str:
    return f"{scene.name}-{what}"


def call(cloud: Cloud, method: str, path: str, *statuses: int, doing: str, body: Any = None) -> Any:
    """What the volume API answers. Raises HoldfastError for any other status."""
    url = f"{cloud.endpoint('block-storage')}{path}"
    payload = json.dumps(body).encode() if body is not None else None
    answer: Answer = cloud.request(method, url, payload, {**_JSON, **_VERSION})
    expect(answer, *statuses, doing=doing)
    return answer.json() if answer.body else None


def find(cloud: Cloud, scene: Scene, what: str, collection: str = "volumes") -> Mapping[str, Any]:
    """A thing of this verification. Raises HoldfastError when there is none."""
    name = _name(scene, what)
    found = call(cloud, "GET", f"/{collection}/detail?name={name}", 200, doing=f"Looking for {name}")[collection]
    require(found, f"There is no {name} among the {collection}.")
    return dict(found[0])


def _wait(cloud: Cloud, scene: Scene, what: str, collection: str = "volumes") -> Mapping[str, Any]:
    """The thing when it is available. Raises HoldfastError when it is an error, or takes too long."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = find(cloud, scene, what, collection)
        if found["status"] == "available":
            return found
        if found["status"].startswith("error") or time.monotonic() > deadline:
            why = found.get("fail_reason") or "see `journalctl -u '*cinder*'` on its hosts"
            raise HoldfastError(f"{found['name']} is {found['status']} and not available: {why}")
        time.sleep(0.5)


def make(cloud: Cloud, scene: Scene, what: str, **options: Any) -> Mapping[str, Any]:
    """A new volume, when it is available."""
    body = {"volume": {"name": _name(scene, what), "size": 1, **options}}
    call(cloud, "POST", "/volumes", 202, doing=f"Making the volume {what}", body=body)
    return _wait(cloud, scene, what)


def _action(cloud: Cloud, volume: Mapping[str, Any], doing: str, **action: Any) -> None:
    body = {name.replace("_", "-"): options for name, options in action.items()}
    call(cloud, "POST", f"/volumes/{volume['id']}/action", 202, doing=doing, body=body)


def _wait_for_services(cloud: Cloud) -> None:
    """Until the scheduler may choose every back end: one that has just been restarted is down for a while."""
    deadline = time.monotonic() + START_SECONDS
    path = "/os-services?binary=cinder-volume"
    while True:
        found = call(cloud, "GET", path, 200, doing="Asking for the back ends")["services"]
        down = [entry["host"] for entry in found if entry["status"] == "enabled" and entry["state"] != "up"]
        if not down:
            return
        require(
            time.monotonic() < deadline,
            f"Down are {', '.join(down)}: see `journalctl -u '*cinder-volume*'` on the hosts before the @.",
        )
        time.sleep(1)


def create(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A volume of the type that users get when they name none."""
    _wait_for_services(cloud)
    volume = make(cloud, scene, DISK)
    require(volume["size"] == 1, f"The volume has {volume['size']} GiB instead of 1.")
    default = scene.facts.get("type")
    require(default in (None, volume["volume_type"]), f"It is of the type {volume['volume_type']} and not {default}.")
    return {"volume": volume["id"], "type": volume["volume_type"], "GiB": volume["size"]}


def write(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The client wrote it and read it back; what it read is what was to be written."""
    return _read_by_client(scene, "written", seed(scene.run, DISK))


def _read_by_client(scene: Scene, fact: str, name: str) -> dict[str, Any]:
    said = read_back(scene, fact, name)
    read_by = said.get("host", "the client")
    return {"image": said["image"], "bytes": VOLUME_SIZE, "sha256": said["sha256"], "read by": read_by}


def read_back(scene: Scene, fact: str, name: str) -> Mapping[str, Any]:
    """What a client read. Raises HoldfastError when it is not what was to be written."""
    said = told(scene, fact)
    wanted = sha256(content(name, VOLUME_SIZE))
    require(said["sha256"] == wanted, f"{said['image']} holds other content: SHA-256 {said['sha256']}, not {wanted}.")
    return said


def told(scene: Scene, fact: str) -> Mapping[str, Any]:
    """What a client read. Raises HoldfastError when it could not."""
    return scene.told(fact, "sha256", "The volume could not be read")


def snapshot(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A snapshot keeps what the volume held; it is made without moving data."""
    volume = find(cloud, scene, DISK)
    return {"snapshot": snapshot_of(cloud, scene, volume["id"], DISK), "of": volume["id"]}


def snapshot_of(cloud: Cloud, scene: Scene, volume: str, what: str) -> str:
    """The id of a new snapshot of a volume, when it is available."""
    body = {"snapshot": {"name": _name(scene, what), "volume_id": volume}}
    call(cloud, "POST", "/snapshots", 202, doing="Making a snapshot", body=body)
    return str(_wait(cloud, scene, what, "snapshots")["id"])


def clone(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A volume from the snapshot shares its data instead of copying it."""
    volume = make(cloud, scene, CLONE, snapshot_id=find(cloud, scene, DISK, "snapshots")["id"])
    return {"volume": volume["id"], "from": volume["snapshot_id"]}


def cloned(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The clone has the content of the snapshot, although the volume was written over since."""
    _read_by_client(scene, "rewritten", seed(scene.run, AGAIN))
    parent = told(scene, "cloned")["parent"]
    source = find(cloud, scene, DISK)["id"]
    require(parent and source in parent, f"The clone's parent is {parent or 'nothing'}: its data was copied.")
    return {**_read_by_client(scene, "cloned", seed(scene.run, DISK)), "parent": parent}


def extend(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The volume grows."""
    _action(cloud, find(cloud, scene, DISK), "Extending the volume", os_extend={"new_size": 2})
    volume = _wait(cloud, scene, DISK)
    require(volume["size"] == 2, f"The volume has {volume['size']} GiB instead of 2.")
    return {"volume": volume["id"], "GiB": volume["size"]}


def retype(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The volume becomes one of another type without being copied."""
    wanted = scene.fact("other_type")
    volume = find(cloud, scene, DISK)
    _action(
        cloud, volume, f"Retyping the volume to {wanted}", os_retype={"new_type": wanted, "migration_policy": "never"}
    )
    now = _wait(cloud, scene, DISK)["volume_type"]
    require(now == wanted, f"The volume is of the type {now} instead of {wanted}.")
    return {"volume": volume["id"], "from": volume["volume_type"], "to": wanted}


def backup(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A backup of the volume is made where the deployment keeps backups."""
    volume = find(cloud, scene, DISK)
    body = {"backup": {"name": _name(scene, DISK), "volume_id": volume["id"]}}
    call(cloud, "POST", "/backups", 202, doing="Making a backup", body=body)
    found = _wait(cloud, scene, DISK, "backups")
    return {"backup": found["id"], "of": volume["id"], "objects": found["object_count"], "in": found["container"]}


def restore(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The backup becomes another volume."""
    found = find(cloud, scene, DISK, "backups")
    body = {"restore": {"name": _name(scene, RESTORED)}}
    call(cloud, "POST", f"/backups/{found['id']}/restore", 202, doing="Restoring the backup", body=body)
    volume = _wait(cloud, scene, RESTORED)
    _wait(cloud, scene, DISK, "backups")
    return {"volume": volume["id"], "GiB": volume["size"]}


def restored(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The restored volume holds what the volume held when it was backed up."""
    return _read_by_client(scene, "restored", seed(scene.run, AGAIN))


def image(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A raw image goes into the store on RBD."""
    data = content(seed(scene.run, IMAGE), VOLUME_SIZE)
    base = f"{cloud.endpoint('image')}/v2/images"
    form = {"disk_format": "raw", "container_format": "bare", "visibility": "private"}
    body = {"name": _name(scene, IMAGE), "tags": [TAG], **form}
    made = expect(
        cloud.request("POST", base, json.dumps(body).encode(), _JSON), 201, doing="Registering the image"
    ).json()
    headers = {"Content-Type": "application/octet-stream", "X-Image-Meta-Store": scene.fact("rbd_store")}
    expect(cloud.request("PUT", f"{base}/{made['id']}/file", data, headers), 204, doing="Uploading the image")
    found = cloud.request("GET", f"{base}/{made['id']}").json()
    require(found["status"] == "active", f"The image is {found['status']} instead of active.")
    require(found["checksum"] == md5(data), f"The image has the checksum {found['checksum']} instead of {md5(data)}.")
    require(scene.fact("rbd_store") in found.get("stores", ""), f"The image is in the stores {found.get('stores')}.")
    return {"image": made["id"], "bytes": len(data), "store": found["stores"]}


def _image(cloud: Cloud, scene: Scene) -> str:
    url = f"{cloud.endpoint('image')}/v2/images?name={_name(scene, IMAGE)}"
    found = expect(cloud.request("GET", url), 200, doing="Looking for the image").json()["images"]
    require(found, f"There is no image {_name(scene, IMAGE)}.")
    return str(found[0]["id"])


def from_image(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A volume from the image shares its data: nothing is downloaded, and hardly a byte moves."""
    volume = make(cloud, scene, IMAGE, imageRef=_image(cloud, scene))
    return {"volume": volume["id"], "image": _image(cloud, scene)}


def imaged(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The cluster says that the volume is a clone of the image, and it holds the image's content."""
    parent = told(scene, "imaged")["parent"]
    require(parent and _image(cloud, scene) in parent, f"The volume's parent is {parent or 'nothing'}: it was copied.")
    return {**_read_by_client(scene, "imaged", seed(scene.run, IMAGE)), "parent": parent}


def hidden(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The image API that tells locations answers nobody but the volume service."""
    place = scene.fact("internal_image_api")
    (found,) = cloud.port_states([place["address"]], [place["port"]])
    require(found["state"] != "open", f"{found['address']}:{found['port']} is open to a client on br-mgmt.")
    return {f"{found['address']}:{found['port']}": found["state"]}


def read_without_a_host(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The volume is whole without the OSDs of a host."""
    return {"lost": scene.fact("lost"), **_read_by_client(scene, "read_degraded", seed(scene.run, AGAIN))}


def write_without_a_host(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A write is acknowledged and can be read at once."""
    return {"lost": scene.fact("lost"), **_read_by_client(scene, "written_degraded", seed(scene.run, DEGRADED))}


def healed(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """All OSDs are up and every placement group is active and clean."""
    status = scene.told("status", "osds", "The cluster could not be asked")
    said = {name: status[name] for name in ("health", "osds", "placement_groups")}
    require(status["clean"], f"The cluster is not whole again: {said}")
    return {"returned": scene.fact("lost"), **said}


_ATTACHED = ("reserved", "attaching", "in-use")


def sweep(cloud: Cloud) -> int:
    """Remove every backup and volume of verifications, and wait until they are gone. Returns how many there were."""
    ours: set[str] = set()
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        left = [
            (collection, entry)
            for collection in ("backups", "volumes")
            for entry in _everywhere(cloud, collection)
            if entry["name"].startswith(PREFIX)
        ]
        if not left:
            break
        ours |= {entry["id"] for _, entry in left}
        for collection, entry in left:
            if entry["status"] in _ATTACHED:
                _take_back(cloud, entry["id"])
            if entry["status"] in ("available", "error"):
                more = "?cascade=true" if collection == "volumes" else ""
                url = f"{cloud.endpoint('block-storage')}/{collection}/{entry['id']}{more}"
                cloud.request("DELETE", url, None, {**_JSON, **_VERSION})
        time.sleep(1)
    return len(ours)


def _everywhere(cloud: Cloud, collection: str) -> list[dict[str, Any]]:
    """Those of all projects with our prefix anywhere in their names."""
    path = f"/{collection}/detail?all_tenants=1&name~={PREFIX}"
    return list(call(cloud, "GET", path, 200, doing="Looking for leftovers")[collection])


def _take_back(cloud: Cloud, volume: str) -> None:
    """End the attachments that a killed verification left: the volume is not to be deleted before."""
    path = f"/attachments?volume_id={volume}"
    for entry in call(cloud, "GET", path, 200, doing="Looking for attachments")["attachments"]:
        url = f"{cloud.endpoint('block-storage')}/attachments/{entry['id']}"
        cloud.request("DELETE", url, None, {**_JSON, **_VERSION})


STORIES = (
    Story("block.create", "A volume is made", create, most={"storage": STIR, "repl": STIR}),
    Story(
        "block.write",
        "A client on br-storage writes it",
        write,
        least={"storage": 2 * VOLUME_SIZE, "repl": VOLUME_SIZE},
        most={"mgmt": STIR, "storage": 2 * VOLUME_SIZE + STIR},
    ),
    Story("block.snapshot", "A snapshot is made", snapshot, most={"storage": STIR, "repl": STIR}),
    Story("block.clone", "A volume is made from the snapshot", clone, most={"storage": STIR, "repl": STIR}),
    Story(
        "block.cloned", "It holds what the snapshot kept", cloned, least={"storage": VOLUME_SIZE}, most={"mgmt": STIR}
    ),
    Story("block.backup", "A volume is backed up", backup, least={"storage": 2 * VOLUME_SIZE}),
    Story("block.restore", "The backup is restored to another volume", restore, least={"storage": 2 * VOLUME_SIZE}),
    Story(
        "block.restored", "It holds what was backed up", restored, least={"storage": VOLUME_SIZE}, most={"mgmt": STIR}
    ),
    Story("block.extend", "A volume grows", extend, most={"storage": STIR, "repl": STIR}),
    Story("block.retype", "A volume changes its type without a copy", retype, most={"storage": STIR, "repl": STIR}),
    Story(
        "block.image",
        "An image goes to RBD",
        image,
        least={"mgmt": VOLUME_SIZE, "storage": VOLUME_SIZE, "repl": VOLUME_SIZE},
    ),
    Story(
        "block.from_image",
        "A volume is made from the image as a clone: no copy on the wire",
        from_image,
        most={"mgmt": STIR, "storage": STIR, "repl": STIR},
    ),
    Story("block.imaged", "It holds the image's content", imaged, least={"storage": VOLUME_SIZE}, most={"mgmt": STIR}),
    Story("block.hidden", "The API that tells where images are is closed to clients", hidden),
    Story(
        "block.read_without_a_host",
        "A volume is read while a host with OSDs is cut off",
        read_without_a_host,
        least={"storage": VOLUME_SIZE},
        most={"mgmt": STIR},
        waits=True,
    ),
    Story(
        "block.write_without_a_host",
        "A volume is written while a host with OSDs is cut off",
        write_without_a_host,
        least={"storage": 2 * VOLUME_SIZE, "repl": VOLUME_SIZE},
        most={"mgmt": STIR, "storage": 2 * VOLUME_SIZE + STIR},
        waits=True,
    ),
    Story(
        "block.healed",
        "The OSDs that returned get what they missed, over br-repl",
        healed,
        least={"repl": VOLUME_SIZE},
        most={"mgmt": STIR, "storage": STIR},
        waits=True,
    ),
)
