# SPDX-License-Identifier: Apache-2.0
"""Stories of volumes that a host attaches by its kernel: over iSCSI, NVMe and NFS, as a compute host does.

A host writes and reads by ``os-brick`` (module ``attached_volume``); its word comes as facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..cinder import backends
from ..cinder.stories import VOLUME_SIZE, call, find, make, read_back, seed, snapshot_of
from ..description.services import Services
from ..errors import HoldfastError
from ..model import Model
from ..nfs import shares as nfs
from ..verify.story import NOISE, Cloud, Scene, Story, require

# The exit status of iscsiadm when the target does not take the secret (ISCSI_ERR_LOGIN_AUTH_FAILED).
LOGIN_AUTH_FAILED = 24

# Of an API that waits a minute itself before it gives up.
DETACH_TRIES = 5

TITLES = {"iscsi": "iSCSI", "nvme": "NVMe over TCP", "nfs": "NFS"}


def facts(model: Model, services: Services) -> dict[str, Any]:
    """What hosts attach, and how much of it is written, in bytes.

    By protocol: a type of volumes, the host that attaches them, and how many ways it has to them. It is another host
    than the one that has the volumes: what a host says to itself is on no network.
    """
    consumers = [host for host in model.group("nova_compute", "cinder_volume") if not host.is_container]
    consumers.sort(key=lambda host: "nova_compute" not in host.groups)
    named = {entry["backend"]: entry["name"] for entry in reversed(backends.volume_types(model))}
    found: dict[str, Any] = {}
    for host, backend in backends.backends(model):
        if backend["type"] not in ("lvm", "nfs") or backend["name"] not in named:
            continue
        local = backend["type"] == "lvm"
        keepers = {host.name} if local else {nfs.split(share)[0] for share in backend["shares"]}
        consumer = next((other for other in consumers if other.name not in keepers), None)
        if not consumer:
            continue
        protocol = ("nvme" if backend.get("protocol") == "nvmet_tcp" else "iscsi") if local else "nfs"
        several = protocol == "iscsi" and consumer.variables["attach_multipath"]
        ways = 1 + len(host.more_addresses.get("storage", ())) if several else 1
        one = {"type": named[backend["name"]], "host": consumer.name, "ways": ways}
        mount = {"mount_options": model.variables["nfs_mount_options"]}
        found.setdefault(protocol, {**one, **mount, "address": consumer.addresses["storage"]})
    return {"protocols": found, "size": VOLUME_SIZE}


def attach(cloud: Cloud, volume: str, connector: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Reserve a volume for a host. Returns the attachment's id, and the way to the volume, with its secret."""
    body = {"attachment": {"volume_uuid": volume, "connector": {**connector, "mode": "rw"}}}
    made = call(cloud, "POST", "/attachments", 200, 202, doing="Attaching the volume", body=body)["attachment"]
    found = dict(made["connection_info"])
    kind = found.pop("driver_volume_type")
    return made["id"], {"driver_volume_type": kind, "data": found}


def detach(cloud: Cloud, attachment: str) -> None:
    """Give the volume back. Asked again, as nova does: the service that has the volume may be just coming back."""
    gone: tuple[int, ...] = (200,)
    for left in reversed(range(DETACH_TRIES)):
        try:
            call(cloud, "DELETE", f"/attachments/{attachment}", *gone, doing="Detaching the volume")
        except HoldfastError:
            if not left:
                raise
        else:
            return
        # One that failed for the API may have been done all the same.
        gone = (200, 404)


def secrets_of(connection: Mapping[str, Any]) -> dict[str, str]:
    """The secrets in the way to a volume, by name."""
    return {name: str(value) for name, value in connection["data"].items() if name.endswith("password") and value}


def without_secrets(connection: Mapping[str, Any]) -> dict[str, Any]:
    """The way to a volume, of which anything may be told."""
    known = secrets_of(connection)
    return {**connection, "data": {name: value for name, value in connection["data"].items() if name not in known}}


def _made(protocol: str) -> Any:
    def tell(cloud: Cloud, scene: Scene) -> dict[str, Any]:
        volume = make(cloud, scene, protocol, volume_type=scene.fact("protocols")[protocol]["type"])
        return {"volume": volume["id"], "type": volume["volume_type"], "on": volume.get("os-vol-host-attr:host")}

    return tell


def _written(protocol: str) -> Any:
    def tell(cloud: Cloud, scene: Scene) -> dict[str, Any]:
        said = _read_by_host(scene, "written", seed(scene.run, protocol))
        ways = scene.fact("protocols")[protocol]["ways"]
        require(said["ways"] >= ways, f"The host had {said['ways']} ways to the volume, not {ways}.")
        return said

    return tell


def _read_by_host(scene: Scene, fact: str, name: str) -> dict[str, Any]:
    said = read_back(scene, fact, name)
    where = {"ways": said["ways"], "on": said["host"]}
    return {"device": said["image"], "bytes": VOLUME_SIZE, "sha256": said["sha256"], **where}


def kept(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A snapshot of the detached volume becomes another volume."""
    volume = make(
        cloud, scene, "iscsi-kept", snapshot_id=snapshot_of(cloud, scene, find(cloud, scene, "iscsi")["id"], "iscsi")
    )
    return {"volume": volume["id"], "from": volume["snapshot_id"]}


def restored(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The other volume, attached, holds what the snapshot kept."""
    return _read_by_host(scene, "kept", seed(scene.run, "iscsi"))


def refused(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The host that read what the snapshot kept came with another secret before, and was not let in for that reason."""
    said = scene.fact("kept")
    why = said.get("msg") or "the volume was attached"
    require(said.get("refused"), f"A wrong secret was not refused, or the right one was: {why}.")
    codes = said.get("codes") or []
    require(
        codes and set(codes) == {LOGIN_AUTH_FAILED},
        f"It was refused, but not for its secret: {said.get('refused')} (exit status of iscsiadm: {codes}).",
    )
    return {"refused": said["refused"], **_read_by_host(scene, "kept", seed(scene.run, "iscsi"))}


STORIES = (
    *(
        story
        for protocol, title in TITLES.items()
        for story in (
            Story(f"block.{protocol}", f"A volume for {title} is made", _made(protocol)),
            Story(
                f"block.{protocol}_written",
                f"A host attaches it over {title}, writes it, reads it and lets it go",
                _written(protocol),
                least={"storage": 2 * VOLUME_SIZE},
                most={"mgmt": NOISE, "repl": NOISE},
            ),
        )
    ),
    Story("block.iscsi_kept", "A snapshot of it becomes a volume", kept, most={"storage": NOISE, "repl": NOISE}),
    Story(
        "block.iscsi_restored",
        "A host reads from that what the snapshot kept",
        restored,
        least={"storage": VOLUME_SIZE},
        most={"mgmt": NOISE, "repl": NOISE},
    ),
    Story(
        "block.chap",
        "A host with a wrong secret is refused for it, and let in with the right one",
        refused,
        most={"storage": NOISE, "repl": NOISE},
    ),
)
