#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Have the image of the lab's hosts in the cache."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_image
short_description: Have the image of the lab's hosts in the cache
version_added: "1.0.0"
description:
  - Builds the directories that overlayfs stacks to the root file system of a lab host, with mmdebstrap.
  - C(base) is bare Debian with systemd, network and SSH; C(archives) holds what apt would download for the package
    set; C(packages) has the package set installed and nothing of it enabled. C(kernel) is what a virtual machine has
    on top of these.
  - A layer is named after a digest of what it is built from, is built once, and appears only when it is complete.
  - Uses the apt mirrors, apt proxies and certificate authorities of the machine.
  - Layers of earlier images that no host of a lab stands on are removed.
author:
  - Holdfast contributors (@holdfast)
requirements:
  - mmdebstrap
extends_documentation_fragment:
  - holdfast.storage.attributes
attributes:
  check_mode:
    description: Says which layers it would build or remove.
    support: full
options:
  cache_dir:
    description: Directory of the cache. It is shared by all checkouts on the machine.
    type: path
    default: /var/cache/holdfast
  suite:
    description: Debian release.
    type: str
    choices: [trixie]
    default: trixie
  packages:
    description: The package set of the layers C(archives) and C(packages).
    type: list
    elements: str
    required: true
  layer:
    description: The highest layer that is needed. For C(base) the packages are downloaded, and not installed.
    type: str
    choices: [base, packages]
    default: packages
  kernel:
    description: Whether virtual machines are among the hosts, which need a kernel.
    type: bool
    default: false
  log:
    description: File to which the output of the build is appended.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Make the host image
  holdfast.storage.lab_image:
    packages: [keystone, mariadb-server]
    log: "{{ playbook_dir }}/../.lab/log/image.log"
  register: image
  become: true
"""

RETURN = r"""
layers:
  description:
    - For a host on C(base) and for one on C(packages), the directories to stack, topmost first.
    - C(kernel) is what goes on top of them for a virtual machine.
  returned: success
  type: dict
  sample:
    base:
      - /var/cache/holdfast/layers/archives-5d41402abc4b2a76
      - /var/cache/holdfast/layers/base-0123456789abcdef
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

from ansible_collections.holdfast.storage.plugins.module_utils.core.lab import image
from ansible_collections.holdfast.storage.plugins.module_utils.host.runner import run

OPTIONS = {
    "cache_dir": {"type": "path", "default": "/var/cache/holdfast"},
    "suite": {"type": "str", "choices": ["trixie"], "default": "trixie"},
    "packages": {"type": "list", "elements": "str", "required": True},
    "layer": {"type": "str", "choices": ["base", "packages"], "default": "packages"},
    "kernel": {"type": "bool", "default": False},
    "log": {"type": "path", "required": True},
}


def main() -> None:
    run(image, OPTIONS)


if __name__ == "__main__":
    main()
