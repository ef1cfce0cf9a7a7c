# SPDX-License-Identifier: Apache-2.0
"""Action ``model``: the inventory checked and made the model. Documented in plugins/modules/model.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.holdfast.storage.plugins.module_utils.core import (
    inventory,
    schema,
    secrets,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding, HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.plugins.module_utils.io.deployment import COLLECTION, descriptions, holder
from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction
from ansible_collections.holdfast.storage.plugins.plugin_utils.raw_inventory import InventoryReader
from ansible_collections.holdfast.storage.plugins.plugin_utils.yaml_files import short

ADDRESSES_FILE = "group_vars/all/addresses.yml"
_ADDRESSES_NOTE = """\
---
# Addresses that Holdfast has assigned. They stay as they are; take out a host here when it is gone for good.
"""


class ActionModule(DeploymentAction):
    """Inventory in, model.json out; or all that is wrong with the inventory."""

    _VALID_ARGS = frozenset({"offline", "renew"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        offline = bool(options.get("offline", False))
        roles = schema.load_roles(COLLECTION / "roles")
        reader = InventoryReader(self.variables["hostvars"], self._templar, roles)
        hosts = reader.hosts()
        existing, unreadable = self._secrets()
        groups = {
            str(name): tuple(str(member) for member in members)
            for name, members in self.variables["groups"].items()
            if name not in ("all", "ungrouped")
        }
        required = _required(groups)
        model, findings = inventory.build(
            inventory.RawInventory(
                hosts=hosts,
                groups=groups,
                problems=tuple(reader.problems),
                findings=tuple(unreadable),
                secrets=existing,
                required_secrets=tuple(required),
                known_secrets=tuple(secrets.required(description.content for description in descriptions())),
                plain_secrets=reader.plain_secrets(self.inventory_dir),
                locate=reader.locate,
                exists=self._exists,
                variable_files=dict(self._variable_files()),
            ),
            roles,
            self._remembered(hosts),
        )
        if model is None:
            raise HoldfastError(_message(findings), findings)
        if not offline:
            existing = _without(existing, options.get("renew") or ())
            self.run_directory().write("findings.json", [finding.as_dict() for finding in findings])
            self._keep(model, hosts, existing, [*required, *secret_store.named_by(model)])
        return {
            "changed": False,
            "findings": [finding.as_dict() for finding in findings],
            "summary": {
                "hosts": len(model.hosts),
                "groups": {name: len(members) for name, members in sorted(groups.items())},
                "networks": sorted(model.networks),
                "advice": [str(finding) for finding in findings],
            },
        }

    def _keep(
        self, model: Model, hosts: dict[str, inventory.RawHost], existing: dict[str, Any], required: list[str]
    ) -> None:
        """Leave the model, the questions of the probe, new addresses and secrets; in check mode only the first two."""
        run_holder = None if self.check_mode else holder(self.playbook)
        if run_holder:
            if secrets.missing(existing, required):
                secret_store.save(self._loader, self.inventory_dir, secrets.complete(existing, required))
            self._keep_addresses(model, hosts)
        run = self.run_directory()
        run.write("model.json", model.as_dict())
        self.deployment().write_questions(run, run_holder)

    def _secrets(self) -> tuple[dict[str, Any], list[Finding]]:
        try:
            return secret_store.read(self._loader, self.inventory_dir), []
        except HoldfastError as error:
            where = str(secret_store.location(self.inventory_dir))
            what, _, fix = error.message.partition(". ")
            return {}, [Finding("error", "secrets.unreadable", where, f"{what}.", fix or "Correct the file.")]

    def _remembered(self, hosts: dict[str, inventory.RawHost]) -> Any:
        name = inventory.ADDRESSES
        return next((raw.variables[name] for raw in hosts.values() if name in raw.variables), {})

    def _keep_addresses(self, model: Model, hosts: dict[str, inventory.RawHost]) -> None:
        """Remember the addresses that nobody gave. What is remembered of hosts that are gone stays."""
        remembered = self._remembered(hosts)
        kept = {host: dict(own) for host, own in remembered.items()}
        for name, host in model.hosts.items():
            given = host.variables["networks_addresses"]
            for network, address in host.addresses.items():
                if network != "mgmt" and network not in given:
                    kept.setdefault(name, {})[network] = address
        if kept != remembered:
            path = Path(self.inventory_dir) / ADDRESSES_FILE
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".addresses-{os.getpid()}")
            temporary.write_text(_ADDRESSES_NOTE + yaml.safe_dump({inventory.ADDRESSES: kept}), encoding="utf-8")
            temporary.replace(path)

    def _variable_files(self) -> Iterator[tuple[str, tuple[str, str]]]:
        for kind in ("host", "group"):
            for path in sorted(Path(self.inventory_dir, f"{kind}_vars").glob("[!.]*")):
                if path.is_dir() or path.suffix in (".yml", ".yaml", ".json"):
                    yield short(str(path)), (kind, path.name if path.is_dir() else path.stem)

    def _exists(self, path: str) -> bool:
        return os.path.exists(os.path.join(self.inventory_dir, os.path.expanduser(path)))


def _without(existing: dict[str, Any], renew: list[str]) -> dict[str, Any]:
    """The secrets without those that are to be made anew. Raises HoldfastError for one that there is not."""
    if unknown := sorted(set(renew) - set(existing)):
        near = {name: schema.nearest(name, list(existing)) for name in unknown}
        known = "; ".join(f"{name}{f' (did you mean {best}?)' if best else ''}" for name, best in near.items())
        raise HoldfastError(f"There is no such secret to renew: {known}. Fix: name one that is in the vault file.")
    return {name: value for name, value in existing.items() if name not in renew}


def _required(groups: dict[str, tuple[str, ...]]) -> list[str]:
    """The secrets of the services that have a host."""
    return secrets.required(
        description.content
        for description in descriptions()
        if any(
            group == "all" or groups.get(group) for group in description.content.get("secrets_for", description.groups)
        )
    )


def _message(findings: list[Finding]) -> str:
    errors = [finding for finding in findings if finding.severity == "error"]
    title = f"The inventory has {len(errors)} problem{'' if len(errors) == 1 else 's'}; nothing was changed."
    return "\n".join([title, *map(str, findings)])
