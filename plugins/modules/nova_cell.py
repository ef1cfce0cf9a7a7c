#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Enter the cells of the compute service, by templates."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nova_cell
short_description: Enter the cells of the compute service, by templates
version_added: "1.1.0"
description:
  - Enters each cell that is not there, and gives one that is there its templates, with C(nova-manage).
  - What was entered is kept in C(/var/lib/holdfast/nova_cells.json), since nova shows what a template stands for and
    never the template.
author:
  - Holdfast contributors (@holdfast)
extends_documentation_fragment:
  - holdfast.storage.attributes
options:
  cells:
    description: The cells, in their order.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name. C(cell0) is made by C(nova-manage cell_v2 map_cell0) before.
        type: str
        required: true
      transport_url:
        description:
          - Template of its message queue. C({username}), C({password}), C({hostname}) and the like are taken from
            C(transport_url) of nova.conf. No password itself, others can read a command line.
        type: str
        required: true
      database_connection:
        description: Template of its database, of which the parts are taken from C([database] connection).
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Have a cell
  holdfast.storage.nova_cell:
    cells:
      - name: cell1
        transport_url: "{scheme}://{username}:{password}@{hostname}:{port}/{path}"
        database_connection: "{scheme}://{username}:{password}@{hostname}:{port}/{path}?{query}"
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["create cell cell1"]
"""

from ansible_collections.holdfast.storage.plugins.module_utils.core.nova.kinds import nova_cell
from ansible_collections.holdfast.storage.plugins.module_utils.host import runner


def main() -> None:
    text = {"type": "str", "required": True}
    cell = {"name": text, "transport_url": text, "database_connection": text}
    runner.run(nova_cell, {"cells": {"type": "list", "elements": "dict", "required": True, "options": cell}})


if __name__ == "__main__":
    main()
