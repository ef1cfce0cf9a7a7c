# SPDX-License-Identifier: Apache-2.0
"""Module ``swift_object_info``: where an object is, by asking the storage servers themselves."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swift_object_info
short_description: Where an object is, by asking the storage servers themselves
version_added: "1.0.0"
description:
  - Asks each device that should hold an object, and each that holds it in another's stead, for the object's headers.
  - Runs where the rings, C(swift.conf) and the library C(swift) are, and the storage network is reached, as on a
    member of C(swift_proxy).
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes.reads
options:
  account:
    description: The account, such as C(AUTH_0123456789abcdef0123456789abcdef).
    type: str
    required: true
  container:
    description: The container. It has to be there, since it tells the storage policy.
    type: str
    required: true
  object:
    description: The object. It need not be there.
    type: str
    required: true
  handoffs:
    description: How many devices beyond those that should hold the object are asked.
    type: int
    default: 3
  swift_dir:
    description: Directory of the rings and of C(swift.conf).
    type: path
    default: /etc/swift
"""

EXAMPLES = r"""
- name: Find the copies of an object
  holdfast.storage.swift_object_info:
    account: AUTH_0123456789abcdef0123456789abcdef
    container: photos
    object: 2025/summer.jpg
  register: copies
"""

RETURN = r"""
partition:
  description: Number of the partition.
  returned: success
  type: int
policy:
  description: Index of the container's storage policy.
  returned: success
  type: int
container:
  description: Name of the container.
  returned: success
  type: str
listing:
  description: What the container's listing says about the object; empty when it does not name it.
  returned: success
  type: dict
  sample: {name: 2025/summer.jpg, bytes: 8388608, hash: 0cc175b9c0f1b6a831c399e269772661}
nodes:
  description: >-
    The devices. C(primary) says whether the device should hold the object. C(status) is the server's, or 0 when it
    gave no answer. C(etag) is that of the object as users see it, or empty when it is encrypted. C(fragment) is the
    number of the fragment in an erasure-coded policy.
  returned: success
  type: list
  elements: dict
  sample:
    - {ip: 172.29.244.21, device: d1, zone: 1, primary: true, status: 200, etag: 0cc175b9c0f1b6a831c399e269772661,
       timestamp: "1735689600.00000", bytes: 8388608, fragment: null}
"""

import itertools
from typing import Any

from ansible.module_utils.basic import AnsibleModule


def ask(direct: Any, node: Any, part: int, path: tuple[str, str, str], policy: int) -> dict[str, Any]:
    """What one object server says; status 0 when it does not answer."""
    try:
        headers = direct.direct_head_object(
            node, part, *path, conn_timeout=2, response_timeout=5, headers={"X-Backend-Storage-Policy-Index": policy}
        )
    except direct.ClientException as error:
        return {"status": error.http_status or 0}
    except (Exception, direct.Timeout):  # a Timeout of eventlet is no Exception
        return {"status": 0}
    encrypted = "X-Object-Sysmeta-Crypto-Etag" in headers
    return {
        "status": 200,
        "etag": "" if encrypted else headers.get("X-Object-Sysmeta-Ec-Etag", headers.get("Etag", "")).strip('"'),
        "timestamp": headers.get("X-Backend-Timestamp", headers.get("X-Timestamp")),
        "bytes": int(headers.get("Content-Length", 0)),
        "fragment": headers.get("X-Object-Sysmeta-Ec-Frag-Index"),
    }


def container_says(direct: Any, ring: Any, path: tuple[str, str, str]) -> tuple[int, dict[str, Any]]:
    """The storage policy of the container, and its entry for the object, from the first server that answers."""
    account, container, name = path
    part, nodes = ring.get_nodes(account, container)
    problem: BaseException | None = None
    entry: dict[str, Any]
    for node in nodes:
        try:
            headers, entries = direct.direct_get_container(node, part, account, container, prefix=name, limit=10)
        except (Exception, direct.Timeout) as error:
            problem = error
            continue
        entry = next((entry for entry in entries if entry.get("name") == name), {})
        listing: dict[str, Any] = {key: entry[key] for key in ("name", "bytes", "hash") if key in entry}
        if "swift_meta=" in listing.get("hash", ""):
            listing["hash"] = ""
        return int(headers.get("X-Backend-Storage-Policy-Index", 0)), listing
    raise LookupError(f"No container server knows {account}/{container}: {problem}")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "account": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "object": {"type": "str", "required": True},
            "handoffs": {"type": "int", "default": 3},
            "swift_dir": {"type": "path", "default": "/etc/swift"},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        from swift.common import direct_client as direct
        from swift.common.ring import Ring
        from swift.common.storage_policy import POLICIES
    except ImportError as error:
        module.fail_json(msg=f"The library swift is missing: {error}. Run this on a member of swift_proxy.")
    path = (given["account"], given["container"], given["object"])
    try:
        policy, listing = container_says(direct, Ring(given["swift_dir"], ring_name="container"), path)
        ring = Ring(given["swift_dir"], ring_name=POLICIES.get_by_index(policy).ring_name)
    except (OSError, LookupError) as error:
        module.fail_json(msg=str(error))
    part, primaries = ring.get_nodes(*path)
    handoffs = itertools.islice(ring.get_more_nodes(part), given["handoffs"])
    nodes = [
        {
            "ip": node["ip"],
            "device": node["device"],
            "zone": node["zone"],
            "primary": primary,
            "etag": "",
            "timestamp": None,
            "bytes": 0,
            "fragment": None,
            **ask(direct, node, part, path, policy),
        }
        for primary, group in ((True, primaries), (False, handoffs))
        for node in group
    ]
    module.exit_json(
        changed=False, partition=part, policy=policy, container=given["container"], listing=listing, nodes=nodes
    )


if __name__ == "__main__":
    main()
