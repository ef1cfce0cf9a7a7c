# SPDX-License-Identifier: Apache-2.0
"""Stories of instances: where their bytes go when they boot, write, move and are kept. ``guest`` has what runs in one.

Instances are named ``first``, ``second``, ... and made in the order of the stories; each story says which it needs.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ..cinder import stories as volumes
from ..errors import HoldfastError
from ..verify.payload import MIB
from ..verify.story import PREFIX, TAG, Cloud, Scene, Story, expect, require
from . import guest, storage

WRITTEN_MIB = 16
WRITTEN = WRITTEN_MIB * MIB
STIR = 4 * MIB
"""Bytes that may be on a network where a story moves no content: consoles that are read, metadata, health checks."""
EPHEMERAL_GB, SWAP_MB = 1, 64
LUKS = "4c 55 4b 53 ba be"
"""How a LUKS device begins."""
_LARGER_MB = 64

FIRST, SECOND, OTHER, KEPT, FROM_VOLUME = "first", "second", "other", "kept", "from-volume"
DATA, SECRET = "data", "secret"


def _hosts(scene: Scene) -> list[str]:
    return sorted(scene.fact("hosts"))


def image(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """An image of this verification's own: no compute host has it at hand."""
    source = f"{cloud.endpoint('image')}/v2/images/{scene.fact('image')}/file"
    data = expect(cloud.request("GET", source), 200, doing="Fetching the image for tests").body
    made = _register(cloud, scene.name, scene.fact("image_format"))
    target = f"{cloud.endpoint('image')}/v2/images/{made}/file"
    answer = cloud.request("PUT", target, data, {"Content-Type": "application/octet-stream"})
    expect(answer, 204, doing="Uploading it again")
    found = _image(cloud, scene.name)
    require(found["size"] == len(data), f"The image has {found['size']} bytes instead of {len(data)}.")
    return {"image": made, "bytes": len(data), "format": found["disk_format"]}


def _register(cloud: Cloud, name: str, form: str) -> str:
    body = {"name": name, "tags": [TAG], "disk_format": form, "container_format": "bare", "visibility": "private"}
    headers = {"Content-Type": "application/json"}
    answer = cloud.request("POST", f"{cloud.endpoint('image')}/v2/images", json.dumps(body).encode(), headers)
    return str(expect(answer, 201, doing=f"Registering the image {name}").json()["id"])


def _image(cloud: Cloud, name: str) -> Mapping[str, Any]:
    answer = cloud.request("GET", f"{cloud.endpoint('image')}/v2/images?name={name}")
    found = expect(answer, 200, doing=f"Looking for the image {name}").json()["images"]
    require(found, f"There is no image {name}.")
    return dict(found[0])


def flavor(cloud: Cloud, scene: Scene, what: str = "", more_mb: int = 0) -> str:
    """The id of a flavor of this verification, of the size of that for tests, with every kind of disk."""
    name = f"{scene.name}{f'-{what}' if what else ''}"
    listed = guest.call(cloud, "GET", "/flavors?is_public=None", 200, doing="Asking for flavors")["flavors"]
    if found := next((entry["id"] for entry in listed if entry["name"] == name), None):
        return str(found)
    size = scene.fact("flavor_size")
    body = {
        "name": name,
        "vcpus": size["vcpus"],
        "ram": size["ram"] + more_mb,
        "disk": size["disk"],
        "OS-FLV-EXT-DATA:ephemeral": EPHEMERAL_GB,
        "swap": SWAP_MB,
    }
    made = guest.call(cloud, "POST", "/flavors", 200, doing=f"Making the flavor {name}", body={"flavor": body})
    return str(made["flavor"]["id"])


def boot(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The first instance of the image on a host."""
    return _boot(cloud, scene, FIRST, _hosts(scene)[0])


def boot_again(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The second instance of the image on the same host, which has it by now."""
    return _boot(cloud, scene, SECOND, _hosts(scene)[0])


def _boot(cloud: Cloud, scene: Scene, what: str, host: str) -> dict[str, Any]:
    made = guest.begin(
        cloud, scene, what, host=host, imageRef=_image(cloud, scene.name)["id"], flavorRef=flavor(cloud, scene)
    )
    lines = guest.said(cloud, made["id"])
    on = made["OS-EXT-SRV-ATTR:host"]
    require(on == host, f"The instance is on {on} and not on {host}.")
    return {
        "instance": made["id"],
        "on": on,
        "kernel": guest.value(lines, "kernel"),
        "disks": scene.fact("hosts")[host],
    }


def disks(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The guest sees its root disk, one that is empty, and one for swap, in the sizes of its flavor."""
    lines = guest.said(cloud, guest.find(cloud, scene, FIRST)["id"])
    seen = list(guest.disks(lines))
    sizes = {entry["name"]: int(entry["bytes"]) for entry in seen}
    swap = [entry for entry in seen if entry["holds"] == "swap"]
    require(len(swap) == 1, f"The guest sees {len(swap)} disks for swap: {', '.join(sizes) or 'no disk'}.")
    require(int(swap[0]["bytes"]) == SWAP_MB * MIB, f"The one for swap has {swap[0]['bytes']} bytes.")
    require(EPHEMERAL_GB << 30 in sizes.values(), f"The guest sees no disk of {EPHEMERAL_GB} GiB: {sizes}")
    return {"disks": {entry["name"]: f"{entry['bytes']} bytes, {entry['holds']}" for entry in seen}}


def metadata(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The guest learns from the metadata service who it is, and what it is told while it runs."""
    found = guest.find(cloud, scene, FIRST)
    lines = guest.said(cloud, found["id"])
    name = guest.value(lines, "name")
    require(name == found["name"], f"The guest takes itself for {name} and not for {found['name']}.")
    instance = guest.value(lines, "instance")
    require(instance.startswith("i-"), f"The guest takes itself for the instance {instance or 'none'}.")
    later = guest.run(cloud, found["id"], "echo", f"echo {scene.run}")
    require(later == [scene.run], f"The guest said {later} and not {scene.run}.")
    return {"name": name, "instance": instance, "told later": later[0]}


def attach(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A volume is attached to the first instance, which writes it with fsync and reads it."""
    volume = volumes.make(cloud, scene, DATA)
    return _written(cloud, scene, FIRST, volume)


def _written(cloud: Cloud, scene: Scene, what: str, volume: Mapping[str, Any]) -> dict[str, Any]:
    server = guest.find(cloud, scene, what)["id"]
    _plug(cloud, scene, server, volume["id"])
    disk = f"serial:{volume['id'][: guest.SERIAL]}"
    seed = scene.run[-20:]
    guest.run(cloud, server, f"w-{volume['id'][:8]}", f"pattern write {disk} {seed} {WRITTEN_MIB}")
    return {"volume": volume["id"], "on": what, **_digest(cloud, scene, server, volume["id"])}


def _digest(cloud: Cloud, scene: Scene, server: str, volume: str) -> dict[str, Any]:
    disk = f"serial:{volume[: guest.SERIAL]}"
    lines = guest.run(cloud, server, f"r-{volume[:8]}", f"pattern read {disk} {WRITTEN_MIB}")
    digest, wanted = guest.value(lines, "sha256"), guest.pattern_digest(scene.run[-20:], WRITTEN_MIB)
    require(digest == wanted, f"The guest reads other content: SHA-256 {digest}, not {wanted}.")
    return {"bytes": WRITTEN, "sha256": digest}


def _plug(cloud: Cloud, scene: Scene, server: str, volume: str) -> None:
    body = {"volumeAttachment": {"volumeId": volume}}
    path = f"/servers/{server}/os-volume_attachments"
    guest.call(cloud, "POST", path, 200, doing="Attaching the volume", body=body)
    _until(cloud, volume, "in-use")


def _unplug(cloud: Cloud, server: str, volume: str) -> None:
    path = f"/servers/{server}/os-volume_attachments/{volume}"
    guest.call(cloud, "DELETE", path, 202, doing="Detaching the volume")
    _until(cloud, volume, "available")


def _until(cloud: Cloud, volume: str, status: str) -> None:
    deadline = time.monotonic() + guest.COMMAND_SECONDS
    while True:
        found = volumes.call(cloud, "GET", f"/volumes/{volume}", 200, doing="Looking at the volume")["volume"]
        if found["status"] == status:
            return
        if found["status"].startswith("error") or time.monotonic() > deadline:
            raise HoldfastError(f"The volume is {found['status']} and not {status}.")
        time.sleep(0.5)


def in_use(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A user's own request cannot take a volume from an instance that has it, who would not know (OSSA-2023-003)."""
    volume = volumes.find(cloud, scene, DATA)
    path = f"/attachments?volume_id={volume['id']}"
    listed = volumes.call(cloud, "GET", path, 200, doing="Asking for attachments")["attachments"]
    require(listed, "The volume has no attachment.")
    path = f"/attachments/{listed[0]['id']}"
    volumes.call(cloud, "DELETE", path, 409, doing="Deleting an attachment that is in use")
    return {"attachment": listed[0]["id"], "refused": "409 Conflict"}


def moved(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The volume goes to an instance on another host, which reads what the first one wrote."""
    volume = volumes.find(cloud, scene, DATA)["id"]
    _unplug(cloud, guest.find(cloud, scene, FIRST)["id"], volume)
    server = guest.find(cloud, scene, OTHER)
    _plug(cloud, scene, server["id"], volume)
    read = _digest(cloud, scene, server["id"], volume)
    _unplug(cloud, server["id"], volume)
    return {"volume": volume, "on": server["OS-EXT-SRV-ATTR:host"], **read}


def other(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """An instance on another host."""
    return _boot(cloud, scene, OTHER, _hosts(scene)[-1])


def encrypted(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A volume of an encrypted type is written by a guest, which reads what it wrote."""
    name, like = f"{scene.name}-luks", scene.facts.get("volume_type")
    listed = volumes.call(cloud, "GET", "/types?is_public=None", 200, doing="Asking for types")["volume_types"]
    specs = next((dict(entry["extra_specs"]) for entry in listed if entry["name"] == like), {})
    body = {"volume_type": {"name": name, "extra_specs": specs}}
    made = volumes.call(cloud, "POST", "/types", 200, doing="Making an encrypted type", body=body)["volume_type"]["id"]
    luks = {"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256, "control_location": "front-end"}
    volumes.call(cloud, "POST", f"/types/{made}/encryption", 200, doing="Encrypting it", body={"encryption": luks})
    volume = volumes.make(cloud, scene, SECRET, volume_type=name)
    require(volume.get("encrypted"), "The volume is not encrypted.")
    return _written(cloud, scene, FIRST, volume)


def sealed(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """What the back end has of it begins as LUKS does, and does not hold what the guest wrote."""
    said = scene.fact("beginning")
    begins = " ".join(str(said.get("stdout") or "").split())
    require(begins.startswith(LUKS), f"The volume begins with {begins or said.get('stderr') or 'nothing'}, not {LUKS}.")
    _unplug(cloud, guest.find(cloud, scene, FIRST)["id"], volumes.find(cloud, scene, SECRET)["id"])
    return {"begins with": begins, "format": "LUKS"}


def snapshot(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The second instance is kept as an image."""
    server = guest.find(cloud, scene, SECOND)["id"]
    name = f"{scene.name}-{KEPT}"
    guest.act(cloud, server, doing="Keeping the instance as an image", createImage={"name": name})
    url = f"{cloud.endpoint('image')}/v2/images/{_image(cloud, name)['id']}/tags/{TAG}"
    expect(cloud.request("PUT", url), 204, doing="Marking the image as one of a verification")
    deadline = time.monotonic() + guest.START_SECONDS
    while (found := _image(cloud, name))["status"] != "active":
        failed = found["status"] in ("killed", "deleted") or time.monotonic() > deadline
        require(not failed, f"The image is {found['status']} and not active.")
        time.sleep(1)
    require(found["size"], "The image is empty.")
    guest.end(cloud, scene, SECOND)
    return {"image": found["id"], "bytes": found["size"], "format": found["disk_format"]}


def boot_kept(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """An instance of that image boots, on another host where there is one."""
    kept = _image(cloud, f"{scene.name}-{KEPT}")
    made = guest.begin(cloud, scene, KEPT, host=_hosts(scene)[-1], imageRef=kept["id"], flavorRef=flavor(cloud, scene))
    lines = guest.said(cloud, made["id"])
    guest.end(cloud, scene, KEPT)
    return {"instance": made["id"], "from": kept["id"], "kernel": guest.value(lines, "kernel")}


def from_volume(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """An instance boots from a new volume, which is made of the image."""
    device = {
        "boot_index": 0,
        "uuid": _image(cloud, scene.name)["id"],
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": 1,
        "delete_on_termination": True,
    }
    made = guest.begin(cloud, scene, FROM_VOLUME, host=_hosts(scene)[0], block_device_mapping_v2=[device])
    lines = guest.said(cloud, made["id"])
    attached = made.get("os-extended-volumes:volumes_attached") or []
    require(attached, "The instance has no volume.")
    guest.end(cloud, scene, FROM_VOLUME)
    return {"instance": made["id"], "volume": attached[0]["id"], "kernel": guest.value(lines, "kernel")}


def resize(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The other instance becomes larger, on another host, and the guest has more memory there."""
    server = guest.find(cloud, scene, OTHER)
    before = server["OS-EXT-SRV-ATTR:host"]
    larger = flavor(cloud, scene, "larger", _LARGER_MB)
    guest.act(cloud, server["id"], doing="Resizing the instance", resize={"flavorRef": larger})
    after = guest.wait(cloud, scene, OTHER, "VERIFY_RESIZE")["OS-EXT-SRV-ATTR:host"]
    require(after != before, f"The instance stayed on {after}.")
    guest.act(cloud, server["id"], 204, doing="Confirming it", confirmResize=None)
    guest.wait(cloud, scene, OTHER, "ACTIVE")
    memory = int(guest.value(guest.said(cloud, server["id"]), "memory").split()[0]) // 1024
    size = scene.fact("flavor_size")["ram"]
    require(size < memory + _LARGER_MB <= size + 2 * _LARGER_MB, f"The guest has {memory} MiB of memory.")
    return {"instance": server["id"], "from": before, "to": after, "memory in the guest": f"{memory} MiB"}


def _console(kind: str, protocol: str, sent: bytes, length: int) -> Callable[[Cloud, Scene], tuple[str, int, bytes]]:
    def ask(cloud: Cloud, scene: Scene) -> tuple[str, int, bytes]:
        server = guest.find(cloud, scene, FIRST)["id"]
        body = {"remote_console": {"protocol": kind, "type": protocol}}
        path = f"/servers/{server}/remote-consoles"
        made = guest.call(cloud, "POST", path, 200, doing="Asking for a console", body=body)["remote_console"]
        place = urlsplit(made["url"])
        require(place.scheme in ("https", "wss"), f"The console is at {place.scheme}://{place.netloc}, without TLS.")
        query = parse_qs(place.query)
        within = parse_qs(urlsplit(unquote(query.get("path", [""])[0])).query)
        token = (query.get("token") or within.get("token") or [""])[0]
        status, said = cloud.web_socket(f"https://{place.netloc}/?token={token}", sent, length, 30)
        wrong, _ = cloud.web_socket(f"https://{place.netloc}/?token={'0' * 36}", b"", 1, 10)
        require(wrong != 101 or not _, "The proxy shows a screen to who has no token.")
        return place.netloc, status, said

    return ask


def screen(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The screen of an instance is shown by the proxy, by TLS, to who has a token for it."""
    place, status, said = _console("vnc", "novnc", b"", 12)(cloud, scene)
    require(said.startswith(b"RFB "), f"The proxy answers {status}, and then {said!r} and not VNC.")
    return {"proxy": place, "protocol": said.decode().strip(), "from the proxy to the host": "VeNCrypt, X.509"}


def serial(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The serial console of an instance answers, by TLS, to who has a token for it."""
    place, status, said = _console("serial", "serial", b"\r\n", 1)(cloud, scene)
    require(status == 101, f"The proxy answers {status}.")
    require(said, "The serial console says nothing.")
    return {"proxy": place, "says": base64.b64encode(said).decode()}


def sweep(cloud: Cloud, prefix: str = PREFIX) -> int:
    """Delete what these stories made, also those that were killed. Returns how many things there were."""
    count = 0
    path = f"/servers/detail?all_tenants=1&name=^{prefix}"
    deadline = time.monotonic() + guest.COMMAND_SECONDS
    listed = guest.call(cloud, "GET", path, 200, doing="Looking for leftovers")["servers"]
    count += len(listed)
    while listed and time.monotonic() < deadline:
        for entry in listed:
            if entry.get("OS-EXT-STS:task_state") != "deleting":
                guest.call(cloud, "DELETE", f"/servers/{entry['id']}", 204, 404, 409, doing="Removing leftovers")
        time.sleep(1)
        listed = guest.call(cloud, "GET", path, 200, doing="Looking for leftovers")["servers"]
    for entry in guest.call(cloud, "GET", "/flavors?is_public=None", 200, doing="Looking for leftovers")["flavors"]:
        if entry["name"].startswith(prefix):
            guest.call(cloud, "DELETE", f"/flavors/{entry['id']}", 202, 204, 404, doing="Removing leftovers")
            count += 1
    return count


def sweep_types(cloud: Cloud, prefix: str = PREFIX) -> int:
    """Delete the encrypted types of verifications, when no volume has them any more. Returns how many there were."""
    listed = volumes.call(cloud, "GET", "/types?is_public=None", 200, doing="Looking for leftovers")["volume_types"]
    found = [entry for entry in listed if entry["name"].startswith(prefix)]
    for entry in found:
        volumes.call(cloud, "DELETE", f"/types/{entry['id']}", 202, 400, 404, doing="Removing leftovers")
    return len(found)


def stories(facts: Mapping[str, Any]) -> tuple[Story, ...]:
    """The stories with guests that a deployment has told, with the bytes that each may leave there."""
    hosts = sorted(facts["hosts"])
    clones = (
        facts["hosts"][hosts[0]] == storage.RBD and facts["image_store"] == "rbd" and facts["image_format"] == "raw"
    )
    size = int(facts["image_bytes"] or 0)
    # An image that is cloned is read where it is, and one that is fetched comes over br-mgmt, once.
    fetched: dict[str, float] = {} if clones else {"mgmt": size}
    quiet = {"mgmt": STIR}
    data = {"storage": WRITTEN} if facts["rbd"] else {}
    several = len(hosts) > 1
    found = [
        Story("compute.image", "An image that no host has yet", image),
        Story("compute.boot", "An instance boots from it", boot, least=fetched, most=quiet if clones else {}),
        Story("compute.boot_again", "Another one on that host: the image is fetched no more", boot_again, most=quiet),
        Story("compute.disks", "The guest sees its disks", disks, most=quiet),
        Story("compute.metadata", "The guest learns who it is", metadata, most=quiet),
        Story("compute.attach", "It writes a volume with fsync", attach, least={**data}, most=quiet),
        Story("compute.in_use", "Nobody takes the volume from it", in_use, most=quiet),
    ]
    if several:
        found += [
            Story("compute.other", "An instance on another host", other),
            Story("compute.moved", "It reads there what the first one wrote", moved, least={**data}, most=quiet),
            Story("compute.resize", "It becomes larger, on another host", resize, most={"mgmt": STIR + size}),
        ]
    if facts["keys"]:
        found.append(Story("compute.encrypted", "It writes an encrypted volume", encrypted, least={**data}))
        if facts["rbd"]:
            found.append(Story("compute.sealed", "What is kept of that is LUKS", sealed))
    found += [
        Story("compute.snapshot", "An instance is kept as an image", snapshot),
        Story("compute.boot_kept", "An instance boots from that", boot_kept),
    ]
    if facts["rbd"]:
        found.append(
            Story(
                "compute.from_volume", "An instance boots from a new volume", from_volume, most=quiet if clones else {}
            )
        )
    if facts["screens"]:
        found.append(Story("compute.screen", "A screen is shown by TLS", screen, most=quiet))
    if facts["serial"]:
        found.append(Story("compute.serial", "A serial console answers by TLS", serial, most=quiet))
    return tuple(found)
