# SPDX-License-Identifier: Apache-2.0
"""Inventory plugin ``strict_yaml``: gives no hosts, but refuses YAML files of hosts that are not what they look like.

Ansible tries every plugin on a file that is not YAML, tells what each of them thinks of it, and stops before it looks
at the variables; keys of a group that it does not know it passes over.
"""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.utils.display import Display

from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store, yaml_files

DOCUMENTATION = r"""
name: strict_yaml
version_added: "1.0.0"
short_description: Refuse YAML files of hosts with errors, keys twice or unknown keys
description:
  - Looks at YAML files of hosts and groups, and leaves the good ones to the plugins after it.
  - For a bad one it tells every problem of the file, and of the files in C(group_vars) and C(host_vars) beside it, each
    with its line, and ends the program with status 4, as Ansible's own errors of parsing do.
  - Enable it before all others, in C(enable_plugins) of the section C(inventory) of C(ansible.cfg).
author:
  - Holdfast contributors (@holdfast)
"""

_ENDINGS = (".yml", ".yaml", ".json")


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]
    """What Ansible asks of each source of the inventory."""

    NAME = "holdfast.storage.strict_yaml"

    def verify_file(self, path: str) -> bool:
        """Whether the file is for this plugin: it is YAML by its name, in clear, and something is wrong with it."""
        if not super().verify_file(path) or not path.endswith(_ENDINGS) or secret_store.is_encrypted(path):
            return False
        return bool(yaml_files.hosts_file(path, None))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Tell what is wrong, and end: after an error that is raised, Ansible tries the other plugins."""
        super().parse(inventory, loader, path, cache)
        findings = [*yaml_files.hosts_file(path, loader), *yaml_files.beside(os.path.dirname(path), loader)]
        Display().error(yaml_files.told(findings), wrap_text=False)
        raise SystemExit(4)
