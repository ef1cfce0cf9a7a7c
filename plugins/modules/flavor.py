#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Bring nova's flavors, aggregates and default quotas to what is wanted, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: flavor
short_description: Manage flavors, aggregates and default quotas of nova in one batch
version_added: "1.1.0"
description:
  - Reads what is there with one token over one connection, and changes what differs.
  - Flavors and aggregates that are not named are left alone; what is named with I(state=absent) is removed.
  - Nova does not change the size of a flavor. One that differs in it, or in who may use it, is made anew under its
    name; instances keep what they have.
  - With I(hosts), compute hosts that are in no cell are entered, when each has told of itself.
  - Where all was there once (C(/var/lib/holdfast/flavors.made)) and nothing answers, the plan is to C(wait for) the
    compute service. The module waits, and then does what remains.
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
    default: /etc/holdfast/compute.json
  flavors:
    description: Flavors.
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
      vcpus:
        description: Processors.
        type: int
        default: 1
      memory_mb:
        description: Memory in MiB.
        type: int
        default: 512
      disk_gb:
        description: The root disk in GiB; 0 for the size of its image.
        type: int
        default: 0
      ephemeral_gb:
        description: A further disk in GiB.
        type: int
        default: 0
      swap_mb:
        description: A disk for swap in MiB.
        type: int
        default: 0
      public:
        description: Whether every project may use it.
        type: bool
        default: true
      extra_specs:
        description: What the scheduler and the hypervisor read.
        type: dict
        default: {}
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  aggregates:
    description: Aggregates of compute hosts.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      availability_zone:
        description: The zone that it is for users; empty for none.
        type: str
        default: ""
      hosts:
        description: Its hosts, and no others.
        type: list
        elements: str
        default: []
      metadata:
        description: What flavors ask for; entries that are not named are removed.
        type: dict
        default: {}
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  quotas:
    description: Quotas of the class C(default) by name, such as C(instances) or C(cores). Others are left alone.
    type: dict
    default: {}
  hosts:
    description: Compute hosts that have to be in a cell.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Offer two sizes
  holdfast.storage.flavor:
    flavors:
      - {name: small, vcpus: 1, memory_mb: 1024, disk_gb: 10}
      - {name: large, vcpus: 8, memory_mb: 16384, disk_gb: 80, extra_specs: {"hw:mem_page_size": large}}
    aggregates:
      - {name: fast, availability_zone: fast, hosts: [compute1]}
    quotas: {instances: 20, cores: 40}
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["enter compute hosts", "create flavor small", "update quotas"]
"""

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.nova.kinds import flavor
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    name = {"type": "str", "required": True}
    text = {"type": "str", "default": ""}
    values: dict[str, Any] = {"type": "dict", "default": {}}
    names = {"type": "list", "elements": "str", "default": []}
    state = {"type": "str", "choices": ["present", "absent"], "default": "present"}
    flavors = {
        "name": name,
        "description": text,
        "vcpus": {"type": "int", "default": 1},
        "memory_mb": {"type": "int", "default": 512},
        **{size: {"type": "int", "default": 0} for size in ("disk_gb", "ephemeral_gb", "swap_mb")},
        "public": {"type": "bool", "default": True},
        "extra_specs": values,
        "state": state,
    }
    aggregates = {"name": name, "availability_zone": text, "hosts": names, "metadata": values, "state": state}
    options = {
        "credentials": {"type": "path", "default": flavor.CREDENTIALS},
        "flavors": {"type": "list", "elements": "dict", "default": [], "options": flavors},
        "aggregates": {"type": "list", "elements": "dict", "default": [], "options": aggregates},
        "quotas": values,
        "hosts": names,
    }
    runner.run(flavor, options)


if __name__ == "__main__":
    main()
