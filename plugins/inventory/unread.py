# SPDX-License-Identifier: Apache-2.0
"""Inventory plugin ``unread``: gives no hosts, but names a source of hosts that no other plugin could read.

Ansible itself tells what each plugin thinks of the file, as warnings, and neither which is meant nor what helps.
"""

from __future__ import annotations

import os

from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.utils.display import Display

from ansible_collections.holdfast.storage.plugins.plugin_utils import yaml_files

DOCUMENTATION = r"""
name: unread
version_added: "1.1.0"
short_description: Refuse files of an inventory that no plugin can read
description:
  - Gets what every plugin before it declined or failed to read, names it with what helps, and ends the program with
    status 4, as Ansible's own errors of parsing do.
  - Enable it after all others, in C(enable_plugins) of the section C(inventory) of C(ansible.cfg).
author:
  - Holdfast contributors (@holdfast)
"""


class InventoryModule(BaseInventoryPlugin):
    """What Ansible asks of each source of the inventory."""

    NAME = "holdfast.storage.unread"

    def verify_file(self, path: str) -> bool:
        """Whether there is such a file, readable or not."""
        return os.path.isfile(path)

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Tell the file, and end: of an error that is raised, Ansible makes warnings."""
        # Not the parent's parse: it reads the files of -e, and fails with another's words when one is bad.
        del inventory, cache
        is_yaml = yaml_files.is_yaml(path, loader)
        findings = yaml_files.hosts_file(path, loader) if is_yaml else yaml_files.not_text(path, loader)
        reason = "No plugin for inventories reads it."
        if os.access(path, os.X_OK):
            reason = "As a program, it fails or does not print an inventory in JSON."
        Display().error(yaml_files.told(findings or [yaml_files.stray(path, reason)]), wrap_text=False)
        raise SystemExit(4)
