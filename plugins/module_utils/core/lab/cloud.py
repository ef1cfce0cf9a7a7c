# SPDX-License-Identifier: Apache-2.0
"""Images that a lab leaves in its cloud. They are known by name; others are left alone.

An image is the one that is wanted when its size and checksum are those of the file. One of other content is replaced:
instances keep what they were made of. An upload that ended half-way left an image that is not active: it goes too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..change import Change, Plan
from ..errors import Finding, HoldfastError
from ..host_io import CloudIO

UNUSED = ("deactivated", "deleted", "pending_delete")
"""States of an image in which an administrator has put it; it is left alone."""


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    """What ``read`` needs to know."""
    return {
        "clouds_file": wanted["clouds_file"],
        "cloud": wanted["cloud"],
        "files": {image["name"]: image["file"] for image in wanted["images"]},
    }


def read(io: CloudIO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{files, images}``: size and checksums of each file, and what the cloud has of each name.

    Before the cloud was made once, there is no file that says how to reach it, and nothing is in it.
    """
    io.use(asked["clouds_file"], asked["cloud"])
    there = io.exists(asked["clouds_file"])
    return {
        "files": {name: io.file_facts(path) for name, path in asked["files"].items()},
        "images": {name: io.images(name) if there else [] for name in asked["files"]},
    }


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """What is missing, what differs, and what that replaces."""
    missing = [image for image in wanted["images"] if current["files"][image["name"]] is None]
    findings = [
        Finding(
            "error",
            "lab.image-file",
            f"lab_images: {image['name']}",
            f"there is no file {image['file']}.",
            "Name a file that is there, or leave `file` out for the lab's guest.",
        )
        for image in missing
    ]
    changes = [change for image in wanted["images"] if image not in missing for change in _image(current, image)]
    return Plan(changes, findings)


def apply(io: CloudIO, plan: Plan) -> None:
    """Upload, look whether what arrived is what was sent, then delete what it replaces."""
    for change in plan:
        if change.action == "upload":
            _upload(io, change)
        else:
            io.delete_image(change.data["id"])


def is_file(found: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Whether an image of the cloud has the content of a file, of which ``facts`` are size and checksums."""
    checksums = facts["checksums"]
    algorithm = found.get("os_hash_algo") or ""
    by_service = found.get("os_hash_value") == checksums[algorithm] if algorithm in checksums else True
    return bool(
        found.get("status") == "active"
        and found.get("size") == facts["size"]
        and found.get("checksum") in (None, checksums["md5"])
        and by_service
        and (found.get("checksum") or algorithm in checksums)
    )


def _image(current: Mapping[str, Any], image: Mapping[str, Any]) -> Iterator[Change]:
    name, facts = image["name"], current["files"][image["name"]]
    properties = _properties(image)
    standing = [
        found for found in current["images"][name] if found["status"] not in UNUSED and not found.get("os_hidden")
    ]
    right = [
        found
        for found in standing
        if is_file(found, facts)
        and all(found.get(key) == value for key, value in properties.items())
        and (not image["store"] or image["store"] in str(found.get("stores") or image["store"]).split(","))
    ]
    if not right:
        after = "\n".join(
            [
                f"{facts['size']} bytes of {image['file']}",
                *([f"store {image['store']}"] if image["store"] else []),
                *(f"{key}={value}" for key, value in sorted(properties.items())),
            ]
        )
        data = {"image": properties, "file": image["file"], "store": image["store"], "facts": facts}
        yield Change(name, "upload", "", after, data)
    for found in standing:
        if found not in right[:1]:
            before = f"{found['status']}, {found.get('size')} bytes"
            yield Change(f"{name} {found['id']}", "delete image", before, data={"id": found["id"]})


def _properties(image: Mapping[str, Any]) -> dict[str, Any]:
    """An image's properties as the image service takes and shows them."""
    return {
        **{str(key): str(value) for key, value in image["properties"].items()},
        "name": image["name"],
        "disk_format": image["format"],
        "container_format": "bare",
        "visibility": "public",
    }


def _upload(io: CloudIO, change: Change) -> None:
    data = change.data
    found = io.upload(data["image"], data["file"], data["store"])
    if not is_file(found, data["facts"]):
        io.delete_image(found["id"])
        raise HoldfastError(
            f"The image {change.subject} is not what was sent: {found.get('status')}, {found.get('size')} bytes "
            f"instead of {data['facts']['size']}, checksum {found.get('checksum')}. It was deleted. Fix: run it again."
        )
