# SPDX-License-Identifier: Apache-2.0
"""Inventory plugin ``strict_yaml``: gives no hosts, but refuses files of hosts that are not what they look like.

Ansible tries every plugin on a file that none of them can read, tells what each of them thinks of it, and stops before
it looks at the variables; keys of a group that it does not know it passes over.
"""

from __future__ import annotations

import codecs
import os

from ansible import context
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, ini
from ansible.utils.display import Display

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding
from ansible_collections.holdfast.storage.plugins.plugin_utils import (
    inventory_sources,
    secret_store,
    toml_files,
    yaml_files,
)

DOCUMENTATION = r"""
name: strict_yaml
version_added: "1.0.0"
short_description: Refuse files of hosts with errors, keys twice or unknown keys
description:
  - Looks at files of hosts and groups in YAML, INI or TOML, and leaves the good ones to the plugins after it.
  - Passes over files of certificates and keys, which it knows by their names or by what they hold. Those in a directory
    C(tls) or C(files) Ansible itself passes over, by C(ignore_patterns) of the section C(inventory) of C(ansible.cfg).
  - For a bad one it tells every problem of the file, and of the files in C(group_vars) and C(host_vars) beside it, each
    with its line, and ends the program with status 4, as Ansible's own errors of parsing do.
  - Enable it before all others, in C(enable_plugins) of the section C(inventory) of C(ansible.cfg).
author:
  - Holdfast contributors (@holdfast)
"""

_INI_ENDINGS = ("", ".ini", ".cfg")


class _Ini(ini.InventoryModule):
    """Ansible's own, which knows the line of an error while it reads and forgets it before it tells."""

    line: int | None = None
    reason = ""

    def _parse(self, lines: list[str]) -> None:
        try:
            super()._parse(lines)
        except Exception as error:
            text = str(getattr(error, "message", error))
            # What groups are to each other is found at the end of the file, and not in one line.
            of_groups = "undefined group" in text or "dependency loop" in text
            self.line = None if of_groups or not self._origin else self._origin.line_num
            self.reason = text if of_groups or isinstance(error, AnsibleError) else "the line can not be read"
            raise


class InventoryModule(BaseInventoryPlugin):
    """What Ansible asks of each source of the inventory."""

    NAME = "holdfast.storage.strict_yaml"

    def verify_file(self, path: str) -> bool:
        """Whether the file is for this plugin: of certificates; or in YAML or INI, with something wrong.

        What is in a vault shows when it is parsed. Or it is wrong with a file of ``-e @FILE``: without its variables
        Ansible reads no inventory, and blames that.
        """
        if not os.path.exists(path):
            return "," not in path and path != "/etc/ansible/hosts"  # A list of hosts; and what nobody asked for.
        if not os.access(path, os.R_OK):
            return True
        if not os.path.isfile(path):
            return not os.path.isdir(path)
        if secret_store.is_encrypted(path) or yaml_files.is_certificate(path, None):
            return True
        return yaml_files.unreadable([*_problems(path, None), *yaml_files.on_command_line(None)])

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Tell what is wrong, and end: after an error that is raised, Ansible tries the other plugins."""
        # Not the parent's parse: it reads the files of -e, and fails with another's words when one is bad.
        del inventory, cache
        if yaml_files.is_certificate(path, loader):
            return
        wrong = [*_problems(path, loader), *yaml_files.on_command_line(loader)]
        if secret_store.is_encrypted(path) and not yaml_files.unreadable(wrong):
            raise AnsibleParserError(f"{path} is in a vault, and left to the other plugins.")
        sources = [source for source in context.CLIARGS.get("inventory") or () if os.path.exists(source)]
        files = dict.fromkeys([path, *map(os.path.abspath, inventory_sources.files(sources))])
        findings = [finding for file in files for finding in _problems(file, loader)]
        findings += yaml_files.on_command_line(loader)
        for directory in dict.fromkeys(map(os.path.dirname, files)):
            findings += [*yaml_files.beside(directory, loader), *inventory_sources.misspelt(directory)]
        Display().error(yaml_files.told(findings), wrap_text=False)
        raise SystemExit(4)


def _problems(path: str, loader: DataLoader | None) -> list[Finding]:
    """What is wrong with a file of hosts. One that may be of any other kind, such as a script, is left alone."""
    if not os.path.exists(path):
        fix = "Name the file or the directory of the inventory after -i; a list of hosts ends with a comma."
        if os.path.islink(path):
            what = f"This link leads to {os.readlink(path)}, and no file is there."
            return [
                Finding(
                    "error", "inventory.file", yaml_files.short(path), what, "Put the file there, or take the link out."
                )
            ]
        return [Finding("error", "inventory.file", yaml_files.short(path), "There is no such file or directory.", fix)]
    if not os.access(path, os.R_OK):
        return yaml_files.not_text(path, loader)
    if yaml_files.is_certificate(path, loader):
        return []
    if yaml_files.is_yaml(path, loader):
        return yaml_files.hosts_file(path, loader)
    ending = os.path.splitext(path)[1]
    if os.path.isdir(path) or os.access(path, os.X_OK):
        return []
    if ending == toml_files.ENDING:
        return toml_files.hosts_file(path, loader)
    if unreadable := yaml_files.not_text(path, loader):
        return unreadable if ending in _INI_ENDINGS else [yaml_files.stray(path, unreadable[0].what)]
    with open(path, "rb") as stream:
        if stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8:
            what = "The file begins with a byte order mark, which Ansible takes for a part of its first name."
            where = f"{yaml_files.short(path)}:1"
            return [Finding("error", "inventory.ini", where, what, "Save it as UTF-8 without that mark (BOM).")]
    reader = _Ini()
    try:
        reader.parse(InventoryData(), loader or DataLoader(), path, cache=False)
    except AnsibleError as error:
        cause = error.__cause__ or error
        told = reader.reason or (cause.message if isinstance(cause, AnsibleError) else cause)
        reason = " ".join(str(told).split()).rstrip(".")
        where = f"{yaml_files.short(path)}{f':{reader.line}' if reader.line else ''}"
        what = f"This is not INI of hosts: {reason}."
        if ending not in _INI_ENDINGS:
            return [yaml_files.stray(path, what)]
        return [Finding("error", "inventory.ini", where, what, "Correct the line." + yaml_files.or_move(path))]
    return []
