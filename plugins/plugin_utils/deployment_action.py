# SPDX-License-Identifier: Apache-2.0
"""What the actions of a deployment share: the run directory, the deployment, and errors as results."""

from __future__ import annotations

import os
from typing import Any

from ansible import context

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import (
    Deployment,
    RunDirectory,
    is_public,
)
from ansible_collections.holdfast.storage.plugins.module_utils.controller.sealed import HIDDEN
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store, site_certificate
from ansible_collections.holdfast.storage.plugins.plugin_utils.living_action import LivingAction

# A shorter one would hide half of what is shown.
SHORTEST = 4


class DeploymentAction(LivingAction):
    """An action on the deployment. Subclasses implement ``act``; a HoldfastError there becomes a failed result."""

    TRANSFERS_FILES = False
    _supports_async = False
    _VALID_ARGS: frozenset[str] = frozenset()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What Ansible calls."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        self.variables = task_vars or {}
        try:
            unknown = set(self._task.args) - set(self._VALID_ARGS)
            if unknown:
                raise HoldfastError(f"{self._task.action}: unknown options: {', '.join(sorted(unknown))}.")
            result.update(self.act(self._task.args))
        except HoldfastError as error:
            result.update(failed=True, **error.as_result())
        return result

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        """Do the work; the result is what the task returns. Raises HoldfastError."""
        raise NotImplementedError

    @property
    def host(self) -> str:
        """Name of the host that the task runs for."""
        return str(self.variables["inventory_hostname"])

    @property
    def check_mode(self) -> bool:
        """Whether nothing may be changed."""
        return bool(self._task.check_mode)

    @property
    def inventory_dir(self) -> str:
        """The directory that defines the host, else that of the first inventory source, else the working directory."""
        if directory := self.variables.get("inventory_dir"):
            return str(directory)
        for source in self.variables.get("ansible_inventory_sources") or ():
            if os.path.exists(source):
                return str(source) if os.path.isdir(source) else os.path.dirname(os.path.abspath(source))
        return os.getcwd()

    def run_directory(self) -> RunDirectory:
        """Where this deployment's runs leave what they tell each other: ``holdfast_run_dir``."""
        configured = self.variables.get("holdfast_run_dir")
        if configured is not None:
            configured = self._templar.template(configured)
        return RunDirectory(configured or os.path.join(self.inventory_dir, ".holdfast"))

    @property
    def playbook(self) -> str:
        """What was run, for people: the playbooks' names."""
        return " ".join(os.path.basename(name) for name in context.CLIARGS.get("args") or ("ansible",))

    def deployment(self) -> Deployment:
        """The deployment as the action ``model`` left it in the run directory."""
        run = self.run_directory()
        sealed = secret_store.unseal(self._loader, text) if (text := run.read("sealed.json")) else []
        model = run.model(sealed)
        secrets = secret_store.load(self._loader, self.inventory_dir, ephemeral_for=model if self.check_mode else None)
        of_inventory = {f"inventory:{number}": str(value) for number, (_, value) in enumerate(sealed)}
        of_site = site_certificate.load(self._loader, model, self.inventory_dir)
        return Deployment.of(model, {**of_inventory, **secrets, **of_site})


def scrubbed(value: Any, secrets: dict[str, str]) -> Any:
    """The value with every secret in its texts replaced, at any depth."""
    if isinstance(value, str):
        for name, secret in secrets.items():
            if len(secret) >= SHORTEST and not is_public(name):
                # A dollar is doubled in files where it would mean a substitution.
                for written in {secret, secret.replace("$", "$$")}:
                    value = value.replace(written, HIDDEN)
        return value
    if isinstance(value, dict):
        return {name: scrubbed(item, secrets) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrubbed(item, secrets) for item in value]
    return value
