# SPDX-License-Identifier: Apache-2.0
"""Action ``model``: the inventory checked and made the model. Documented in plugins/modules/model.py."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import holder
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import (
    build as inventory,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import (
    schema,
    secrets,
)
from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store
from ansible_collections.holdfast.storage.plugins.plugin_utils.inventory_action import (
    Checked,
    InventoryAction,
    remembered,
)

ADDRESSES_FILE = "group_vars/all/addresses.yml"
_ADDRESSES_NOTE = """\
---
# Addresses that Holdfast has assigned. They stay as they are; take out a host here when it is gone for good.
# holdfast_begun_with: variables whose present defaults the deployment began with.
"""


class ActionModule(InventoryAction):
    """Inventory in, model.json out; or all that is wrong with the inventory."""

    _VALID_ARGS = frozenset({"offline", "renew"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        checked = self.checked()
        if not options.get("offline", False):
            existing = _without(checked.secrets, options.get("renew") or ())
            self.run_directory().write("findings.json", [finding.as_dict() for finding in checked.findings])
            self._keep(checked, existing)
        return {
            "changed": False,
            "findings": [finding.as_dict() for finding in checked.findings],
            "summary": {
                "hosts": len(checked.model.hosts),
                "groups": {name: len(members) for name, members in sorted(checked.groups.items())},
                "networks": sorted(checked.model.networks),
                "advice": [str(finding) for finding in checked.findings],
            },
        }

    def _keep(self, checked: Checked, existing: dict[str, Any]) -> None:
        """Leave the model, the questions of the probe, new addresses and secrets; in check mode only the first two."""
        run_holder = None if self.check_mode else holder(self.playbook)
        required = {**checked.required, **secret_store.named_by(checked.model)}
        if run_holder:
            # Secrets come last: with them the deployment counts as begun.
            self._keep_assigned(checked)
            if secrets.missing(existing, required):
                secret_store.save(self._loader, self.inventory_dir, secrets.complete(existing, required))
        run = self.run_directory()
        content, sealed = checked.sealed()
        run.write("sealed.json", secret_store.seal(self._loader, sealed) if sealed else "")
        run.write("model.json", content)
        self.deployment().write_questions(run, run_holder)

    def _keep_assigned(self, checked: Checked) -> None:
        """Remember the addresses that nobody gave, and the defaults of services that begin now.

        What is remembered of hosts that are gone stays.
        """
        known = remembered(checked.hosts)
        kept = {host: dict(own) for host, own in known.items()}
        for name, host in checked.model.hosts.items():
            given = host.variables["networks_addresses"]
            for network, address in host.addresses.items():
                if network != "mgmt" and network not in given:
                    kept.setdefault(name, {})[network] = address
        before = inventory.begun_with(checked.hosts)
        begun = sorted({*before, *checked.beginning})
        if kept != known or begun != sorted(before):
            path = Path(self.inventory_dir) / ADDRESSES_FILE
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".addresses-{os.getpid()}")
            content = {inventory.ADDRESSES: kept, **({inventory.BEGUN_WITH: begun} if begun else {})}
            temporary.write_text(_ADDRESSES_NOTE + yaml.safe_dump(content), encoding="utf-8")
            temporary.replace(path)


def _without(existing: Any, renew: Collection[str]) -> dict[str, Any]:
    """The secrets without those that are to be made anew. Raises HoldfastError for one that there is not."""
    if unknown := sorted(set(renew) - set(existing)):
        near = {name: schema.nearest(name, list(existing)) for name in unknown}
        known = "; ".join(f"{name}{f' (did you mean {best}?)' if best else ''}" for name, best in near.items())
        raise HoldfastError(f"There is no such secret to renew: {known}. Fix: name one that is in the vault file.")
    return {name: value for name, value in existing.items() if name not in renew}
