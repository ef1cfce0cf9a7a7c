#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Have the disk image of the lab's guest in the cache."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_guest
short_description: Have the disk image of the lab's guest in the cache
version_added: "1.1.0"
description:
  - Builds the disk from which instances of a lab boot, of 24 MiB, as C(raw) and C(qcow2). It has Debian's kernel for
    clouds, busybox, dropbear and the scripts of O(source), and runs in 96 MiB of memory.
  - It is built in the layers of the hosts' image, with packages that apt downloads for as long as it takes. Nothing is
    installed on the machine.
  - It is named after a digest of what it is built from, is built once, and appears only when it is complete. Guests of
    other content are removed.
  - M(holdfast.storage.lab_image) comes first.
author:
  - Holdfast contributors (@holdfast)
seealso:
  - module: holdfast.storage.lab_image
  - module: holdfast.storage.lab_cloud
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  cache_dir:
    description: Directory of the cache. It is shared by all checkouts on the machine.
    type: path
    default: /var/cache/holdfast
  layers:
    description:
      - Directories in which it is built, topmost first, as M(holdfast.storage.lab_image) returns them for C(base).
    type: list
    elements: path
    required: true
  source:
    description: Directory with the files of the guest's root beside its programs.
    type: path
    required: true
  log:
    description: File to which the output of the build is appended.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Make the guest
  holdfast.storage.lab_guest:
    layers: "{{ image.layers.base }}"
    source: "{{ role_path }}/files/guest"
    log: "{{ playbook_dir }}/../.lab/log/image.log"
  register: guest
  become: true
"""

RETURN = r"""
files:
  description: The file of each format.
  returned: success
  type: dict
  sample:
    raw: /var/cache/holdfast/guests/tiny-0123456789abcdef/tiny.raw
    qcow2: /var/cache/holdfast/guests/tiny-0123456789abcdef/tiny.qcow2
actions:
  description: What was done, or would be.
  returned: success
  type: list
  elements: str
findings:
  description: Why it was refused.
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import guest
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run

OPTIONS = {
    "cache_dir": {"type": "path", "default": "/var/cache/holdfast"},
    "layers": {"type": "list", "elements": "path", "required": True},
    "source": {"type": "path", "required": True},
    "log": {"type": "path", "required": True},
}


def main() -> None:
    run(guest, OPTIONS)


if __name__ == "__main__":
    main()
