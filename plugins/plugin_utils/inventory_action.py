# SPDX-License-Identifier: Apache-2.0
"""What the actions share that begin with the inventory: Ansible's variables checked and made the model."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import (
    COLLECTION,
    descriptions,
    domain,
    known_secrets,
    secrets_of,
)
from ansible_collections.holdfast.storage.plugins.module_utils.controller.sealed import Place, Sealed, apart
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding, HoldfastError, counted
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import (
    build as inventory,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import (
    declarations,
    schema,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.secrets import Form
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import RULES
from ansible_collections.holdfast.storage.plugins.plugin_utils import (
    inventory_sources,
    secret_store,
    site_certificate,
    yaml_files,
)
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import (
    SHORTEST,
    DeploymentAction,
    scrubbed,
)
from ansible_collections.holdfast.storage.plugins.plugin_utils.raw_inventory import InventoryReader
from ansible_collections.holdfast.storage.plugins.plugin_utils.yaml_files import short


@dataclass(frozen=True)
class Checked:
    """An inventory without errors: the model, advice, what Ansible had, and the secrets, existing and needed.

    ``beginning`` are variables with a default of new deployments, of the services that get their first secrets now.
    """

    model: Model
    findings: list[Finding]
    hosts: Mapping[str, inventory.RawHost]
    groups: Mapping[str, tuple[str, ...]]
    secrets: Mapping[str, Any]
    required: Mapping[str, Form]
    beginning: tuple[str, ...]
    vaulted: frozenset[str] = frozenset()

    def sealed(self) -> tuple[dict[str, Any], Sealed]:
        """The model as plain values without what came out of a vault, and that with its places."""
        return apart(self.model.as_dict(), self._is_secret)

    def _is_secret(self, path: Place, value: Any) -> bool:
        if "variables" not in path or isinstance(value, bool) or not str(value):
            return False
        if str(value) in self.vaulted or any(
            secret in str(value) for secret in self.vaulted if len(secret) >= SHORTEST
        ):
            return True
        return any(str(key).endswith("_conf_overrides") for key in path) and schema.is_hidden(path)


class InventoryAction(DeploymentAction):
    """An action that needs no earlier one: it reads the inventory itself."""

    def checked(self) -> Checked:
        """The inventory, checked. Raises HoldfastError with all that is wrong with it."""
        roles = declarations.load_roles(COLLECTION / "roles")
        sources = [str(source) for source in self.variables.get("ansible_inventory_sources") or ()]
        given = inventory_sources.Conflicts(sources, inventory_sources.homes(sources), self._loader, roles.prefixes)
        reader = InventoryReader(self.variables["hostvars"], self._templar, roles, given.replay, self._loader)
        hosts = reader.hosts()
        existing, unreadable = self._secrets()
        groups = {
            str(name): tuple(str(member) for member in members)
            for name, members in self.variables["groups"].items()
            if name not in ("all", "ungrouped")
        }
        required = _required(groups)
        passed_over = list(self._passed_over(sources))
        model, findings = inventory.build(
            inventory.RawInventory(
                hosts=hosts,
                groups=groups,
                problems=(*reader.problems, *given.problems()),
                findings=(*unreadable, *passed_over),
                secrets=existing,
                required_secrets=tuple(required),
                known_secrets=known_secrets(),
                plain_secrets=reader.plain_secrets(self.inventory_dir),
                locate=reader.locate,
                texts=reader.texts(),
                now=datetime.now(UTC),
                read_file=lambda path: site_certificate.read(self._loader, self.inventory_dir, path),
                variable_files=dict(self._variable_files()),
            ),
            roles,
            remembered(hosts),
            rules=RULES,
            domain=domain(),
        )
        if vaulted := {f"inventory:{number}": value for number, value in enumerate(reader.vaulted())}:
            findings = [Finding(**scrubbed(finding.as_dict(), vaulted)) for finding in findings]
        if any(finding.code in yaml_files.UNREAD for finding in passed_over):
            findings = [finding for finding in findings if _holds_anyway(finding)]
        if model is None:
            raise HoldfastError(_message(findings), findings)
        beginning = tuple(
            variable.name
            for variable in roles.variables.values()
            if "x-before" in variable.schema and variable.is_begun(required) and not variable.is_begun(existing)
        )
        return Checked(model, findings, hosts, groups, existing, required, beginning, reader.vaulted())

    def _secrets(self) -> tuple[dict[str, Any], list[Finding]]:
        try:
            return secret_store.read(self._loader, self.inventory_dir), []
        except HoldfastError as error:
            where = str(secret_store.location(self.inventory_dir))
            what, _, fix = error.message.partition(". ")
            return {}, [Finding("error", "secrets.unreadable", where, f"{what}.", fix or "Correct the file.")]

    def _passed_over(self, sources: list[str]) -> Iterator[Finding]:
        """What Ansible reads otherwise than it looks, or not at all, without a word."""
        yield from inventory_sources.empty(sources)
        if sources:
            yield from yaml_files.on_command_line(self._loader)
        for source in inventory_sources.files(sources):
            if yaml_files.is_yaml(source, self._loader):
                yield from yaml_files.hosts_file(source, self._loader)
        directories = {self.inventory_dir, *(os.path.dirname(file) for file in inventory_sources.files(sources))}
        for directory in sorted(directories):
            yield from yaml_files.beside(directory, self._loader)
            yield from inventory_sources.shadowed(directory)

    def _variable_files(self) -> Iterator[tuple[str, tuple[str, str]]]:
        for kind in ("host", "group"):
            for path in sorted(Path(self.inventory_dir, f"{kind}_vars").glob("[!.]*")):
                is_named = path.suffix in yaml_files.ENDINGS[1:]
                if is_named or path.is_dir() or (not path.suffix and yaml_files.holds_variables(str(path))):
                    yield short(str(path)), (kind, path.stem if is_named else path.name)


def remembered(hosts: Mapping[str, inventory.RawHost]) -> Any:
    """The addresses that earlier runs assigned."""
    name = inventory.ADDRESSES
    return next((raw.variables[name] for raw in hosts.values() if name in raw.variables), {})


def _holds_anyway(finding: Finding) -> bool:
    """Whether a finding is true whatever stands in a file that can not be read: it is about a line of another."""
    needs_all = finding.code in ("inventory.required", "inventory.undefined", "hosts.none")
    return finding.code in yaml_files.UNREAD or (bool(re.match(r"[^ ]+:[0-9]+", finding.where)) and not needs_all)


def _required(groups: Mapping[str, tuple[str, ...]]) -> dict[str, Form]:
    """The secrets of the services that have a host."""
    return secrets_of(
        description
        for description in descriptions()
        if any(
            group == "all" or groups.get(group) for group in description.content.get("secrets_for", description.groups)
        )
    )


def _message(findings: list[Finding]) -> str:
    errors = [finding for finding in findings if finding.severity == "error"]
    title = f"The inventory has {counted(len(errors), 'problem')}; nothing was changed."
    return "\n".join([title, *map(str, findings)])
