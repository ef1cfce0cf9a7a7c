#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Bring cinder's volume types, their limits and the default quotas to what is wanted, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volume_type
short_description: Manage volume types, QoS specs and default quotas of cinder in one batch
version_added: "1.0.0"
description:
  - Reads what is there with one token over one connection, and changes what differs.
  - Types that are not named are left alone; what is named with I(state=absent) is removed. Of a named type, extra specs
    that are not wanted are removed.
  - Cinder does not change the extra specs of a type that volumes have; that is refused before anything is changed.
  - Where all was there once (C(/var/lib/holdfast/volume_types.made)) and nothing answers, the plan is to C(wait for)
    the volume service. The module waits, and then does what remains.
  - With I(backends), services of cinder-volume that are not among them are forgotten, and refused while they hold
    volumes.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  credentials:
    description:
      - File on the host with C(auth_url), C(username), C(password), C(user_domain_name), C(project_name),
        C(project_domain_name), C(cafile) and C(region) of an administrator, as JSON.
    type: path
    default: /etc/holdfast/volume.json
  volume_types:
    description: Volume types.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      description:
        description: What users read about it.
        type: str
        default: ""
      public:
        description: Whether every project may use it.
        type: bool
        default: true
      extra_specs:
        description: What the scheduler and the driver read.
        type: dict
        default: {}
      qos:
        description: Name of the QoS specs that it has; empty for none.
        type: str
        default: ""
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  qos_specs:
    description: Limits that volume types can have.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      consumer:
        description: Who enforces them.
        type: str
        choices: [front-end, back-end, both]
        default: front-end
      specs:
        description: The limits.
        type: dict
        default: {}
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  quotas:
    description: Quotas of the class C(default) by name, such as C(gigabytes) or C(volumes_gold). Others are left alone.
    type: dict
    default: {}
  backends:
    description: All services of cinder-volume, as C(host@back end). Without it none is forgotten.
    type: list
    elements: str
  clusters:
    description: Clusters, as C(cluster@back end), whose members manage each other's volumes.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Offer two kinds of volumes
  holdfast.storage.volume_type:
    volume_types:
      - {name: gold, extra_specs: {volume_backend_name: ceph}}
      - {name: bronze, extra_specs: {volume_backend_name: ceph}, qos: bronze}
    qos_specs:
      - {name: bronze, specs: {total_iops_sec: 500}}
    quotas: {gigabytes: 2000, gigabytes_gold: 500}
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["create limits bronze", "create volume type gold", "update quotas"]
findings:
  description: What was refused and why, when the module fails for that.
  returned: failure
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder.kinds import volume_type
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    name = {"type": "str", "required": True}
    text = {"type": "str", "default": ""}
    values: dict[str, Any] = {"type": "dict", "default": {}}
    state = {"type": "str", "choices": ["present", "absent"], "default": "present"}
    consumer = {"type": "str", "choices": ["front-end", "back-end", "both"], "default": "front-end"}
    types = {
        "name": name,
        "description": text,
        "public": {"type": "bool", "default": True},
        "extra_specs": values,
        "qos": text,
        "state": state,
    }
    limits = {"name": name, "consumer": consumer, "specs": values, "state": state}
    options = {
        "credentials": {"type": "path", "default": volume_type.CREDENTIALS},
        "volume_types": {"type": "list", "elements": "dict", "default": [], "options": types},
        "qos_specs": {"type": "list", "elements": "dict", "default": [], "options": limits},
        "quotas": values,
        "backends": {"type": "list", "elements": "str"},
        "clusters": {"type": "list", "elements": "str", "default": []},
    }
    runner.run(volume_type, options)


if __name__ == "__main__":
    main()
