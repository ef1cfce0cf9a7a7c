#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Have images in a lab's cloud."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_cloud
short_description: Have images in a lab's cloud
version_added: "1.1.0"
description:
  - Uploads images that are not there, or that have another content, store or property, and compares size and checksum
    of what arrived with the file.
  - An image that is replaced is deleted, or hidden where something is made of it. Images that an administrator
    deactivated or hid are left alone.
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
"""

EXAMPLES = r"""
- name: Leave the guest in the cloud
  holdfast.storage.lab_cloud:
    clouds_file: /srv/holdfast/.lab/clouds.yaml
    cloud: lab
    images:
      - {name: tiny, file: "{{ guest.files.raw }}", format: raw, store: ceph, properties: {os_type: linux}}
"""

RETURN = r"""
actions:
  description: What was done, or would be.
  returned: success
  type: list
  elements: str
  sample: [upload tiny]
findings:
  description: Why it was refused.
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import cloud
from ansible_collections.holdfast.storage.plugins.module_utils.host.lab_cloud import LabCloud
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run_on

OPTIONS = {
    "clouds_file": {"type": "path", "required": True},
    "cloud": {"type": "str", "required": True},
    "images": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "file": {"type": "path", "required": True},
            "format": {"type": "str", "choices": ["raw", "qcow2"], "required": True},
            "store": {"type": "str", "default": ""},
            "properties": {"type": "dict", "default": {}},
        },
    },
}


def main() -> None:
    run_on(LabCloud(), cloud, OPTIONS)


if __name__ == "__main__":
    main()
