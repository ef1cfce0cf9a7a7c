#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Have systemd units run, with what stands now."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit
short_description: Have systemd units run, with what stands now
version_added: "1.0.0"
description:
  - Starts and enables units.
  - Restarts those whose inputs (files, package versions) differ from what they were started with. One that runs and was
    started by something else, such as the installation of its package, is restarted too; the plan calls that C(adopt).
    One without inputs, such as a target, never is.
  - What a unit was started with is kept in C(/var/lib/holdfast/units), so an owed restart survives a killed run.
  - Waits until each unit is steady and listens where it should.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  units:
    description: The units.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Full name of the unit, with its suffix.
        type: str
        required: true
      state:
        description: Whether it runs.
        type: str
        choices: [started, stopped]
        default: started
      enabled:
        description: Whether it starts at boot.
        type: bool
        default: true
      inputs:
        description: Files that it reads when it starts.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Absolute path.
            type: path
            required: true
          sha256:
            description: Digest that the file will have. Left out, it is what stands on the host.
            type: str
      packages:
        description: Packages whose versions are inputs too.
        type: list
        elements: str
        default: []
      listens:
        description:
          - Places C(address:port) where it must listen before it counts as started.
          - With a path behind it, as in C(address:port/healthcheck), a GET of that must succeed.
        type: list
        elements: str
        default: []
      reload:
        description: Whether changed files need only a reload.
        type: bool
        default: false
      reload_packages:
        description: Whether a reload takes new versions of packages too, where O(units[].reload) is set.
        type: bool
        default: false
        version_added: "1.1.0"
"""

EXAMPLES = r"""
- name: Run the object server
  holdfast.storage.unit:
    units:
      - name: swift-object.service
        inputs: [{path: /etc/swift/object-server.conf}]
        packages: [swift-object]
        listens: ["172.29.244.21:6200"]
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["enable swift-object.service", "start swift-object.service"]
findings:
  description: What was refused and why, when the module fails for that.
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import unit
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    entry = {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
        "enabled": {"type": "bool", "default": True},
        "inputs": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"path": {"type": "path", "required": True}, "sha256": {"type": "str"}},
        },
        "packages": {"type": "list", "elements": "str", "default": []},
        "listens": {"type": "list", "elements": "str", "default": []},
        "reload": {"type": "bool", "default": False},
        "reload_packages": {"type": "bool", "default": False},
    }
    runner.run(unit, {"units": {"type": "list", "elements": "dict", "required": True, "options": entry}})


if __name__ == "__main__":
    main()
