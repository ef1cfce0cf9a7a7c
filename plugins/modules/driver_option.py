#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""See that cinder knows the options that its drivers are given."""

from __future__ import annotations

DOCUMENTATION = r"""
module: driver_option
short_description: See that cinder knows the options that its drivers are given
version_added: "1.0.0"
description:
  - Asks cinder's own validator whether any driver of the installed version has each option, once for each set of names
    and version. What it approved is kept in C(/var/lib/holdfast/driver-options.json).
  - Refuses names that no driver has. Values are not looked at.
author:
  - Holdfast contributors (@holdfast)
attributes:
  check_mode:
    description: Asks, and changes nothing. Where cinder is not installed it says that it would ask.
    support: full
  diff_mode:
    description: The diff is the plan; only names are shown.
    support: full
options:
  backends:
    description: The back ends that are given options.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the back end.
        type: str
        required: true
      options:
        description: Names of its options.
        type: list
        elements: str
        required: true
  package:
    description: Package whose version decides which options there are.
    type: str
    default: cinder-common
  namespace:
    description: Namespace of oslo.config under which the service tells its options.
    type: str
    default: cinder
"""

EXAMPLES = r"""
- name: See that the array's options are options
  holdfast.storage.driver_option:
    backends:
      - {name: array, options: [san_ip, pure_api_token]}
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["check options of cinder's drivers"]
findings:
  description: What was refused and why, when the module fails for that.
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder.kinds import driver_option
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    entry = {
        "name": {"type": "str", "required": True},
        "options": {"type": "list", "elements": "str", "required": True},
    }
    options = {
        "backends": {"type": "list", "elements": "dict", "required": True, "options": entry},
        "package": {"type": "str", "default": "cinder-common"},
        "namespace": {"type": "str", "default": "cinder"},
    }
    runner.run(driver_option, options)


if __name__ == "__main__":
    main()
