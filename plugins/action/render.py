# SPDX-License-Identifier: Apache-2.0
"""Action ``render``: what a deployment would put on its hosts. Documented in plugins/modules/render.py."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import (
    Deployment,
    known_secrets,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.secrets import TEXT
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import rendering
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import ORDER
from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store, site_certificate
from ansible_collections.holdfast.storage.plugins.plugin_utils.inventory_action import InventoryAction

MARK = ".rendered"


class ActionModule(InventoryAction):
    """The inventory as the action ``model`` checks it, and no secret: placeholders stand for them."""

    _VALID_ARGS = frozenset({"directory"})

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        checked = self.checked()
        forms = {
            **dict.fromkeys((*site_certificate.FILES, *checked.secrets), TEXT),
            **known_secrets(),
            **secret_store.named_by(checked.model),
        }
        placeholders = {name: form.placeholder(name) for name, form in sorted(forms.items())}
        deployment = Deployment.of(Model.from_dict(checked.sealed()[0]), placeholders)
        directory = Path(options["directory"])
        _begin(directory)
        count = 0
        for name, text in rendering.render(ORDER, deployment.model, deployment.services, placeholders):
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            count += 1
        return {"changed": False, "msg": f"{count} files in {directory}"}


def _begin(directory: Path) -> None:
    """An empty directory. Raises HoldfastError for one that holds anything but what an earlier rendering left."""
    if directory.exists() and any(directory.iterdir()) and not (directory / MARK).exists():
        raise HoldfastError(f"{directory} holds other files. Fix: name a directory that is empty, or is not there.")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / MARK).touch()
