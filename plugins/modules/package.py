#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Install Debian packages in one transaction, their services not started."""

from __future__ import annotations

DOCUMENTATION = r"""
module: package
short_description: Install Debian packages in one transaction, their services not started
version_added: "1.0.0"
description:
  - Installs what is missing, without recommended packages, in one apt transaction.
  - Services that Debian would start with default settings are kept from it and disabled, until something enables them.
  - Finishes what an interrupted dpkg left.
  - Fails where dpkg does not tell what is installed, or systemd which units there are.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  packages:
    description: Names of the packages that must be installed.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Install what an object storage host needs
  holdfast.storage.package:
    packages: [swift-object, rsync, xfsprogs]
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: [install 3 packages]
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import package
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    runner.run(package, {"packages": {"type": "list", "elements": "str", "required": True}})


if __name__ == "__main__":
    main()
