# SPDX-License-Identifier: Apache-2.0
"""Vars plugin ``strict_yaml``: gives no variables, but refuses files of variables that are not what they look like.

Ansible names neither file nor line when a file in ``group_vars`` or ``host_vars`` is not YAML, stops at the first such
file, and takes the last of two equal keys.
"""

from __future__ import annotations

import os
from typing import Any

from ansible import context
from ansible.errors import AnsibleParserError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.vars import BaseVarsPlugin

from ansible_collections.holdfast.storage.plugins.plugin_utils import yaml_files

DOCUMENTATION = r"""
name: strict_yaml
version_added: "1.0.0"
short_description: Refuse files of variables with YAML errors or with a key twice
description:
  - Reads the YAML files in the directories C(group_vars) and C(host_vars) beside an inventory or a playbook, and those
    that C(-e @FILE) names.
  - Fails with every error in every one of them, each with its file and line, before Ansible uses them.
  - A file that no vault password decrypts, that is not UTF-8 or that is no mapping is told by its name, too.
  - Enable it before P(ansible.builtin.host_group_vars#vars), in C(vars_plugins_enabled) of C(ansible.cfg).
author:
  - Holdfast contributors (@holdfast)
"""

_TOLD: dict[str, str] = {}


class VarsModule(BaseVarsPlugin):
    """What Ansible calls for each source of variables and each group of entities."""

    is_stateless = True

    def get_vars(self, loader: DataLoader, path: str, entities: Any, cache: bool = True) -> dict[str, Any]:
        """No variables. Raises AnsibleParserError with all problems of the files beside ``path``; reads each once."""
        del entities, cache
        directory = path if os.path.isdir(path) else os.path.dirname(path)
        if directory not in _TOLD:
            if yaml_files.unreadable(unread := yaml_files.on_command_line(loader)):
                raise AnsibleParserError(yaml_files.told([*unread, *yaml_files.beside(directory, loader)]))
            findings = yaml_files.beside(directory, loader)
            _TOLD[directory] = yaml_files.told(findings) if yaml_files.unreadable(findings) else ""
        if _TOLD[directory]:
            if not _is_only_checked():
                raise AnsibleParserError(_TOLD[directory])
            # The check of the inventory tells them, and what else is wrong. Ansible has no public way past a file.
            for file in yaml_files.broken(directory, loader):
                loader._FILE_CACHE[loader.path_dwim(file)] = {}
        return {}


def _is_only_checked() -> bool:
    """Whether nothing else is run than the check of the inventory, which looks at each file itself."""
    return [os.path.basename(playbook) for playbook in context.CLIARGS.get("args") or ()] == ["validate.yml"]
