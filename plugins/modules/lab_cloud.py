#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Have images and flavors in a lab's cloud."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_cloud
short_description: Have images and flavors in a lab's cloud
version_added: "1.1.0"
description:
  - Uploads images that are not there, or that have another content, store or property, and compares size and checksum of what
    arrived with the file.
  - An image that is replaced is deleted, or hidden where something is made of it. Images that an administrator
    deactivated or hid are left alone.
  - A flavor of another shape is made anew. Instances keep a copy of theirs.
  - What is not named is left alone.
author:
  - Holdfast contributors (@holdfast)
requirements:
  - openstacksdk (Python library)
seealso:
  - module: holdfast.storage.lab_guest
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  clouds_file:
    description: The file clouds.yaml, as M(holdfast.storage.client_files) writes it.
    type: path
    required: true
  cloud:
    description: Name of an administrator's entry there.
    type: str
    required: true
  images:
    description: Images that everybody may use.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      file:
        description: Its content.
        type: path
        required: true
      format:
        description: Format of the file.
        type: str
        choices: [raw, qcow2]
        required: true
      store:
        description: Name of the store that it goes to; empty for the default one.
        type: str
        default: ""
      properties:
        description: Properties, such as C(os_type), as text.
        type: dict
        default: {}
  flavors:
    description: Flavors that everybody may use.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      memory:
        description: Memory in MiB.
        type: int
        required: true
      cpus:
        description: Virtual processors.
        type: int
        default: 1
      disk:
        description: Size of the root disk in GiB.
        type: int
        default: 1
      ephemeral:
        description: Size of the ephemeral disk in GiB.
        type: int
        default: 0
      swap:
        description: Size of the swap disk in MiB.
        type: int
        default: 0
      properties:
        description: Extra specs, as text.
        type: dict
        default: {}
"""

EXAMPLES = r"""
- name: Leave the guest in the cloud
  holdfast.storage.lab_cloud:
    clouds_file: /srv/holdfast/.lab/clouds.yaml
    cloud: lab
    images:
      - {name: tiny, file: "{{ guest.files.raw }}", format: raw, store: ceph, properties: {os_type: linux}}
    flavors:
      - {name: tiny, memory: 128}
"""

RETURN = r"""
actions:
  description: What was done, or would be.
  returned: success
  type: list
  elements: str
  sample: [upload tiny, create flavor tiny]
findings:
  description: Why it was refused.
  returned: failure
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import cloud
from ansible_collections.holdfast.storage.plugins.module_utils.host.lab_cloud import LabCloud
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run_on

NAME: dict[str, Any] = {"type": "str", "required": True}
PROPERTIES: dict[str, Any] = {"type": "dict", "default": {}}
OPTIONS = {
    "clouds_file": {"type": "path", "required": True},
    "cloud": NAME,
    "images": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": NAME,
            "file": {"type": "path", "required": True},
            "format": {"type": "str", "choices": ["raw", "qcow2"], "required": True},
            "store": {"type": "str", "default": ""},
            "properties": PROPERTIES,
        },
    },
    "flavors": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": NAME,
            "memory": {"type": "int", "required": True},
            "cpus": {"type": "int", "default": 1},
            "disk": {"type": "int", "default": 1},
            "ephemeral": {"type": "int", "default": 0},
            "swap": {"type": "int", "default": 0},
            "properties": PROPERTIES,
        },
    },
}


def main() -> None:
    run_on(LabCloud(), cloud, OPTIONS)


if __name__ == "__main__":
    main()
