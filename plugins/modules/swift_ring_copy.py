#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Put copies of Swift's rings and builders on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swift_ring_copy
short_description: Put copies of Swift rings and builders on a host
version_added: "1.0.0"
description:
  - Writes ring and builder files that M(holdfast.storage.swift_ring) made on another host, so that they are the same
    on every host and a lost host does not take the only builder with it.
  - A builder that is newer than the one that came is refused.
  - Its action, which Ansible calls in its place, takes the options of M(holdfast.storage.swift_ring) and fills in
    O(copies) for the rings that the plan says this host needs.
options:
  copies:
    description: The files, as M(holdfast.storage.swift_ring) hands them out.
    type: list
    elements: dict
    required: true
    suboptions:
      ring:
        description: Name of the ring.
        type: str
        required: true
      builder:
        description: Its builder, compressed with zlib, in base64.
        type: str
        required: true
      ring.gz:
        description: Its ring file, likewise.
        type: str
        required: true
  directory:
    description: Where they are put.
    type: path
    default: /etc/swift
attributes:
  check_mode:
    description: Compares and writes nothing.
    support: full
  diff_mode:
    description: The digests.
    support: full
author:
  - Holdfast contributors (@holdfast)
seealso:
  - module: holdfast.storage.swift_ring
"""

EXAMPLES = r"""
- name: The rings that swift_ring made and handed out
  holdfast.storage.swift_ring_copy:
    copies: "{{ made.published }}"
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode.
  type: list
  elements: str
  returned: success
  sample: [create /etc/swift/object.builder, create /etc/swift/object.ring.gz]
findings:
  description: What was refused and why, when the module fails for that.
  type: list
  elements: dict
  returned: failure
"""

import contextlib

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.swift.kinds import (
    swift_ring,
    swift_ring_copy,
)
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Host

COPY = {
    "ring": {"type": "str", "required": True},
    "builder": {"type": "str", "required": True},
    "ring.gz": {"type": "str", "required": True},
}
OPTIONS = {
    "copies": {"type": "list", "elements": "dict", "required": True, "options": COPY},
    "directory": {"type": "path", "default": swift_ring.DIRECTORY},
}


def main() -> None:
    """Compare, write unless check mode, compare again."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    io = Host()
    wanted = module.params["directory"], module.params["copies"]
    try:
        with contextlib.nullcontext() if module.check_mode else io.alone():
            plan = swift_ring_copy.plan_copies(io, *wanted)
            if plan.errors:
                raise HoldfastError("Refused, nothing was changed. " + " ".join(map(str, plan.errors)), plan.errors)
            if plan and not module.check_mode:
                swift_ring_copy.apply(io, plan)
                if left := swift_ring_copy.plan_copies(io, *wanted).summary():
                    raise HoldfastError(f"Applied, but the files still differ: {', '.join(left)}.")
    except HoldfastError as error:
        module.fail_json(**error.as_result())
    module.exit_json(changed=bool(plan), actions=plan.summary(), diff=plan.diff())


if __name__ == "__main__":
    main()
