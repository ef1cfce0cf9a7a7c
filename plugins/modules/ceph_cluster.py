#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Options, keys, failure domains and pools of a Ceph cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ceph_cluster
short_description: Options, keys, failure domains and pools of a Ceph cluster
version_added: "1.0.0"
description:
  - Reads the cluster in one conversation, compares, and gives only the commands that change something.
  - It runs on a host with C(/etc/ceph/ceph.conf), python3-rados, and a monitor or the keyring of C(client.admin). It
    waits for the monitors to agree when there is something to change.
  - What is not listed stays. A pool, key or option is never removed.
  - Where the cluster answered once and does not now, the plan is to C(wait for) it. The module waits, and then does
    what remains.
options:
  fsid:
    description: UUID of the cluster. Another cluster is refused.
    type: str
    required: true
  host:
    description: Name of this host, for messages.
    type: str
    default: localhost
  config:
    description: Options in the cluster's database. Values are compared as their types have them, V(896M) as 939524096.
    type: list
    elements: dict
    default: []
    suboptions:
      section:
        description: Section, such as C(osd).
        type: str
        required: true
      name:
        description: Option.
        type: str
        required: true
      value:
        description: Value.
        type: raw
        required: true
  keys:
    description: Entities with their keys and capabilities.
    type: list
    elements: dict
    default: []
    suboptions:
      entity:
        description: Entity, such as C(client.glance).
        type: str
        required: true
      key:
        description: Its key.
        type: str
        required: true
      caps:
        description: Capabilities by service (mon, osd, mgr, mds).
        type: dict
        required: true
  buckets:
    description: Racks and hosts of the map, a parent before its children.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      type:
        description: Type.
        type: str
        choices: [rack, host]
        required: true
      parent:
        description: Name of the rack that it is in, or V(default).
        type: str
        required: true
      anywhere:
        description: Whether it may stay where somebody put it.
        type: bool
        default: false
  rules:
    description: Rules that spread copies.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      failure_domain:
        description: What copies are spread over.
        type: str
        required: true
      device_class:
        description: Class of the disks. All by default.
        type: str
  pools:
    description: Replicated pools.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      application:
        description: What uses it.
        type: str
        required: true
      size:
        description: Copies.
        type: int
        required: true
      min_size:
        description: With fewer copies nothing is written.
        type: int
        required: true
      rule:
        description: Rule that spreads the copies.
        type: str
        default: replicated_rule
      pg_num:
        description: Placement groups.
        type: int
      target_size_ratio:
        description: Share of the cluster that it will take; then Ceph chooses the placement groups.
        type: float
      quota_bytes:
        description: Most bytes, 0 for no limit.
        type: int
      quota_objects:
        description: Most objects, 0 for no limit.
        type: int
      as_found:
        description: Whether one that is there stays as it is.
        type: bool
        default: false
  filesystems:
    description: File systems of CephFS. Pools of one that is there are not changed; others are refused.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      metadata_pool:
        description: Pool of its names and attributes.
        type: str
        required: true
      data_pool:
        description: Pool of its files.
        type: str
        required: true
      max_mds:
        description: Metadata servers that are active for it.
        type: int
        default: 1
  modules:
    description: Modules of the manager, and whether they are on.
    type: dict
    default: {}
  flags:
    description: Flags of the cluster, and whether they are set.
    type: dict
    default: {}
  monitors:
    description: The monitors. One in the cluster's map that is not listed is refused, unless O(remove_mons) names it.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name.
        type: str
        required: true
  remove_osds:
    description: OSDs that leave. Each is emptied first, and removed when Ceph calls that safe.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What it is called in messages.
        type: str
        required: true
      uuid:
        description: Its UUID. A number would not do, as Ceph gives it out again.
        type: str
        required: true
  remove_mons:
    description: Names of monitors that leave.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - holdfast.storage.attributes
author:
  - Holdfast contributors (@holdfast)
seealso:
  - module: holdfast.storage.ceph_mon
  - module: holdfast.storage.ceph_osd
"""

EXAMPLES = r"""
- name: A pool, who may use it, and less memory for each OSD
  holdfast.storage.ceph_cluster:
    fsid: 6d0c9f84-3b7a-4a55-9e5a-0b8f7a3f4a11
    config:
      - {section: osd, name: osd_memory_target, value: 2G}
    keys:
      - entity: client.glance
        key: "{{ glance_key }}"
        caps: {mon: profile rbd, osd: profile rbd pool=images, mgr: profile rbd pool=images}
    pools:
      - {name: images, application: rbd, size: 3, min_size: 2, pg_num: 64}

- name: Let an OSD go
  holdfast.storage.ceph_cluster:
    fsid: 6d0c9f84-3b7a-4a55-9e5a-0b8f7a3f4a11
    remove_osds:
      - {name: "storage2:/dev/disk/by-id/ata-A1", uuid: 1f7f8b1e-6b7a-5d0f-8f0e-0a7d2a9c4e21}
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode.
  type: list
  elements: str
  returned: success
  sample: [create client.glance, create pool images]
findings:
  description: What was refused and why, when the module fails for that.
  type: list
  elements: dict
  returned: failure
"""

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.kinds import ceph_cluster
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run


def _list(**options: dict[str, Any]) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "default": [], "options": options}


_TEXT = {"type": "str", "required": True}
OPTIONS = {
    "fsid": _TEXT,
    "host": {"type": "str", "default": "localhost"},
    "config": _list(section=_TEXT, name=_TEXT, value={"type": "raw", "required": True}),
    "keys": {
        **_list(entity=_TEXT, key={**_TEXT, "no_log": True}, caps={"type": "dict", "required": True}),
        "no_log": False,
    },
    "buckets": _list(
        name=_TEXT,
        type={**_TEXT, "choices": ["rack", "host"]},
        parent=_TEXT,
        anywhere={"type": "bool", "default": False},
    ),
    "rules": _list(name=_TEXT, failure_domain=_TEXT, device_class={"type": "str"}),
    "pools": _list(
        name=_TEXT,
        application=_TEXT,
        size={"type": "int", "required": True},
        min_size={"type": "int", "required": True},
        rule={"type": "str", "default": "replicated_rule"},
        pg_num={"type": "int"},
        target_size_ratio={"type": "float"},
        quota_bytes={"type": "int"},
        quota_objects={"type": "int"},
        as_found={"type": "bool", "default": False},
    ),
    "filesystems": _list(name=_TEXT, metadata_pool=_TEXT, data_pool=_TEXT, max_mds={"type": "int", "default": 1}),
    "modules": {"type": "dict", "default": {}},
    "flags": {"type": "dict", "default": {}},
    "monitors": _list(name=_TEXT),
    "remove_osds": _list(name=_TEXT, uuid=_TEXT),
    "remove_mons": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    run(ceph_cluster, OPTIONS)


if __name__ == "__main__":
    main()
