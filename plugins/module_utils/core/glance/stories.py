# SPDX-License-Identifier: Apache-2.0
"""Stories of the image service: stored in the object store, fetched twice, and what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..description.services import Services
from ..model import Model
from ..nfs import shares as nfs
from ..verify import people
from ..verify.payload import MIB, content, md5, qcow2, sha256, vmdk_of_another_file
from ..verify.story import NOISE, PREFIX, TAG, Cloud, Scene, Story, expect, require

IMAGE_SIZE = 16 * MIB
CHUNK = 4 * MIB
"""Of an upload whose length nobody says: more than an API server takes at once unless it is told to."""
IMPORT_SECONDS = 120
"""Within which an import has ended."""


def facts(model: Model, services: Services) -> dict[str, Any]:
    """What holds images that are sent to no store by name, and what stands before it."""
    stores = {store["name"]: store for store in model.variables.get("glance_stores") or ()}
    store = stores.get(model.variables.get("glance_default_store") or next(iter(stores), ""), {})
    chosen = store.get("type")
    return {
        # Files that another host keeps leave their bytes on br-storage.
        "store": "nfs" if nfs.crosses(model, store.get("nfs"), "glance_api") else chosen,
        "container": "glance" if chosen == "swift" else None,
        "cache": (model.variables.get("glance_image_cache") or {}).get("enabled", False),
        "servers": len(model.group("glance_api")),
        "staged": "glance-direct" in (model.variables.get("glance_import_methods") or ()),
    }


def ask(cloud: Cloud, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The account in which images are kept, where they are objects: that of the services' project."""
    if not facts["container"]:
        return {}
    answer = cloud.request("GET", f"{cloud.endpoint('identity')}/projects?name=service")
    found = expect(answer, 200, doing="Looking for the project service").json()["projects"]
    require(found, "The identity service has no project `service`.")
    return {"account": f"AUTH_{found[0]['id']}"}


def _image(scene: Scene) -> bytes:
    return qcow2(content(f"{scene.run}/image", IMAGE_SIZE))


def _register(cloud: Cloud, name: str, disk_format: str) -> str:
    form = {"disk_format": disk_format, "container_format": "bare", "visibility": "private"}
    body = {"name": name, "tags": [TAG], **form}
    url = f"{cloud.endpoint('image')}/v2/images"
    answer = cloud.request("POST", url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return str(expect(answer, 201, doing=f"Registering the image {name}").json()["id"])


def _upload(cloud: Cloud, image: str, data: bytes | Sequence[bytes]) -> Any:
    url = f"{cloud.endpoint('image')}/v2/images/{image}/file"
    return cloud.request("PUT", url, data, {"Content-Type": "application/octet-stream"})


def _find(cloud: Cloud, scene: Scene) -> Mapping[str, Any]:
    url = f"{cloud.endpoint('image')}/v2/images?name={scene.name}"
    found = expect(cloud.request("GET", url), 200, doing="Looking for the image").json()["images"]
    require(found, f"There is no image {scene.name}.")
    return dict(found[0])


def _active(found: Mapping[str, Any], data: bytes) -> None:
    require(found["status"] == "active", f"The image is {found['status']} instead of active.")
    require(found["size"] == len(data), f"The image has {found['size']} bytes instead of {len(data)}.")
    require(found["checksum"] == md5(data), f"The image has the checksum {found['checksum']} instead of {md5(data)}.")


def upload(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A qcow2 image becomes active, with the size and checksum that it has here."""
    data = _image(scene)
    image = _register(cloud, scene.name, "qcow2")
    expect(_upload(cloud, image, data), 204, doing="Uploading the image")
    found = _find(cloud, scene)
    _active(found, data)
    return {
        "image": image,
        "bytes": len(data),
        "sha256": sha256(data),
        "stores": found.get("stores", "default"),
        f"os_hash_value ({found['os_hash_algo']})": f"{found['os_hash_value'][:16]}…",
    }


def hidden_location(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The public API tells nobody where an image is kept: a location names the store's account and container."""
    shown = [name for name in ("direct_url", "locations") if name in _find(cloud, scene)]
    require(not shown, f"The public API shows {' and '.join(shown)}.")
    return {"direct_url": "not shown", "locations": "not shown"}


def stored(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The object store holds it under its id, with the same size and checksum, in as many copies as objects have."""
    found = _find(cloud, scene)
    replicas = scene.told("image_object", "nodes", "The object servers could not be asked")
    entry = replicas["listing"]
    require(entry, f"The container {replicas['container']} does not list {found['id']}.")
    require(entry["bytes"] == found["size"], f"The object has {entry['bytes']} bytes, the image {found['size']}.")
    require(
        entry["hash"] in (found["checksum"], ""), f"The object has the ETag {entry['hash']}, not {found['checksum']}."
    )
    copies = [node for node in replicas["nodes"] if node["primary"] and node["status"] == 200]
    require(len(copies) > 1, f"{len(copies)} copies of the image are in the object store.")
    return {
        "object": f"{replicas['container']}/{found['id']}",
        "bytes": entry["bytes"],
        "etag": entry["hash"],
        "copies": [f"{node['ip']}/{node['device']}" for node in copies],
    }


def _download(cloud: Cloud, image: str, data: bytes) -> dict[str, Any]:
    answer = cloud.request("GET", f"{cloud.endpoint('image')}/v2/images/{image}/file")
    expect(answer, 200, doing="Fetching the image")
    require(answer.body == data, f"The image came back with other content: SHA-256 {sha256(answer.body)}.")
    return {"sha256": sha256(answer.body)}


def fetched(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """As often as there are API servers, so that each has it in its cache, whatever the load balancer does."""
    times = int(scene.facts.get("servers") or 1)
    for _ in range(times):
        evidence = _download(cloud, _find(cloud, scene)["id"], _image(scene))
    return {**evidence, "fetched": times}


def fetched_again(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The API server that answers has it in its cache; the counters show that the store was not asked."""
    image = _find(cloud, scene)["id"]
    evidence = _download(cloud, image, _image(scene))
    answer = cloud.request("GET", f"{cloud.endpoint('image')}/v2/cache")
    if answer.status == 200:
        cached = {entry["image_id"]: entry for entry in answer.json().get("cached_images", [])}
        entry = cached.get(image)
        require(entry, "The image is not in the cache of the API server that was asked.")
        evidence["hits in the cache"] = entry["hits"] if entry else 0
    return evidence


def in_chunks(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """An image whose length nobody says, sent in large chunks as services do, becomes active and comes back."""
    data = qcow2(content(f"{scene.run}/chunks", 2 * CHUNK))
    image = _register(cloud, f"{scene.name}-chunks", "qcow2")
    chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    expect(_upload(cloud, image, chunks), 204, doing="Uploading an image in chunks")
    url = f"{cloud.endpoint('image')}/v2/images/{image}"
    _active(expect(cloud.request("GET", url), 200, doing="Looking at the image").json(), data)
    return {**_download(cloud, image, data), "bytes": len(data), "chunks": len(chunks)}


def refused(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Images that name other files, or are not what they say, must not become active."""
    data = content(f"{scene.run}/refused", 64 * 1024)
    cases = {
        "qcow2 with a backing file": ("qcow2", qcow2(data, backing_file="/etc/passwd")),
        "VMDK with an extent that is a file of the server": ("vmdk", vmdk_of_another_file("/etc/passwd")),
        "raw image that says it is a qcow2": ("qcow2", data),
    }
    evidence = {}
    for number, (what, (disk_format, body)) in enumerate(cases.items()):
        image = _register(cloud, f"{scene.name}-refused-{number}", disk_format)
        answer = _upload(cloud, image, body)
        state = cloud.request("GET", f"{cloud.endpoint('image')}/v2/images/{image}").json()["status"]
        require(answer.status >= 400 and state != "active", f"A {what} was accepted: {answer.status}, {state}.")
        evidence[what] = f"status {answer.status}, image {state}"
    return evidence


def staged(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A staged raw image that says it is a qcow2 is in no store; it waits for data again and tells who refused it."""
    number = _register(cloud, f"{scene.name}-staged", "qcow2")
    url = f"{cloud.endpoint('image')}/v2/images/{number}"
    data, binary = content(f"{scene.run}/staged", MIB), {"Content-Type": "application/octet-stream"}
    expect(cloud.request("PUT", f"{url}/stage", data, binary), 204, doing="Staging the image")
    body = json.dumps({"method": {"name": "glance-direct"}}).encode()
    asked = cloud.request("POST", f"{url}/import", body, {"Content-Type": "application/json"})
    expect(asked, 202, doing="Importing the image")
    deadline = time.monotonic() + IMPORT_SECONDS
    while (found := cloud.request("GET", url).json())["status"] in ("importing", "uploading", "saving"):
        require(time.monotonic() < deadline, f"The image is {found['status']} after {IMPORT_SECONDS} s.")
        time.sleep(1)
    require(found["status"] == "queued", f"The image is {found['status']} and not queued: it was taken.")
    failed = found.get("os_glance_failed_import")
    require(failed, "The image does not tell which store refused it.")
    return {"image": found["status"], "refused by": failed}


def roles(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A reader sees the image that a member makes, and changes nothing; a member makes none for everybody."""
    name, form = f"{scene.name}-roles", {"Content-Type": "application/json"}
    patch = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    renamed = json.dumps([{"op": "replace", "path": "/name", "value": f"{name}-again"}]).encode()
    about = {"name": name, "disk_format": "raw", "container_format": "bare"}
    own, public = (json.dumps({**about, "visibility": kind}).encode() for kind in ("private", "public"))
    with people.of_a_project(cloud, scene, "image") as who:
        reader, member = who[people.READER], who[people.MEMBER]
        base = f"{member.endpoint('image')}/v2/images"
        expect(reader.request("POST", base, own, form), 403, doing="Registering an image as a reader")
        expect(member.request("POST", base, public, form), 403, doing="Registering an image for everybody as a member")
        url = f"{base}/{_register(member, name, 'raw')}"
        try:
            expect(reader.request("GET", url), 200, doing="Looking at the member's image as a reader")
            expect(reader.request("PATCH", url, renamed, patch), 403, doing="Renaming it as a reader")
            expect(reader.request("DELETE", url), 403, doing="Deleting it as a reader")
            expect(member.request("PATCH", url, renamed, patch), 200, doing="Renaming it as a member")
        finally:
            expect(member.request("DELETE", url), 204, doing="Deleting the image as a member")
    return {"a reader": "sees images; refused: making, renaming, deleting one", "a member": "did all of that"}


def sweep(cloud: Cloud) -> int:
    """Remove every image of verifications. Returns how many there were."""
    answer = cloud.request("GET", f"{cloud.endpoint('image')}/v2/images?tag={TAG}&limit=1000")
    found = answer.json()["images"] if answer.status == 200 else []
    ours = [image["id"] for image in found if (image.get("name") or "").startswith(PREFIX)]
    for image in ours:
        cloud.request("DELETE", f"{cloud.endpoint('image')}/v2/images/{image}")
    return len(ours)


# What an image leaves on the networks when it goes into a store and when it comes out of it: ``(least, most)``.
_WRITTEN: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]] = {
    "swift": ({"storage": 3 * IMAGE_SIZE}, {"repl": NOISE}),
    "rbd": ({"storage": IMAGE_SIZE, "repl": IMAGE_SIZE}, {}),
    "nfs": ({"storage": IMAGE_SIZE}, {"repl": NOISE}),
}
_READ: Mapping[str, Mapping[str, float]] = {"swift": {"storage": IMAGE_SIZE}, "rbd": {"storage": IMAGE_SIZE}}


def stories(facts: Mapping[str, Any]) -> tuple[Story, ...]:
    """The stories, where images go into the store of ``facts`` unless they are sent elsewhere."""
    store = facts.get("store") or ""
    least, most = _WRITTEN.get(store, ({}, {"repl": NOISE}))
    return (
        Story("image.upload", "An image is uploaded", upload, least={"mgmt": IMAGE_SIZE, **least}, most=most),
        Story(
            "image.stored",
            "It is in the object store, as it was sent",
            stored,
            most={"storage": NOISE, "repl": NOISE},
        ),
        Story("image.hidden_location", "The public API does not tell where", hidden_location),
        Story(
            "image.fetched",
            "It is fetched from the store",
            fetched,
            least={"mgmt": IMAGE_SIZE, **_READ.get(store, {})},
            most={"repl": NOISE},
        ),
        Story(
            "image.fetched_again",
            "It is fetched again, from the cache",
            fetched_again,
            least={"mgmt": IMAGE_SIZE},
            most={"storage": NOISE, "repl": NOISE},
        ),
        Story(
            "image.in_chunks",
            "An image of unknown length is uploaded",
            in_chunks,
            least={"mgmt": 4 * CHUNK},
        ),
        Story("image.refused", "Dangerous and mislabelled images are refused", refused),
        *(
            [Story("image.staged", "A staged image of another format is refused", staged)]
            if facts.get("staged")
            else []
        ),
        Story("image.roles", "A reader reads, a member changes images", roles),
    )
