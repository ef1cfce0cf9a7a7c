# SPDX-License-Identifier: Apache-2.0
"""What the actions of a verification share: where it keeps its notes, the client, and the deployment's artifacts."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.holdfast.storage.plugins.module_utils.controller.cloud import Client
from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import RunDirectory
from ansible_collections.holdfast.storage.plugins.plugin_utils import client_files
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction


class VerifyAction(DeploymentAction):
    """An action of a verification. Needs no connection, except for the counters."""

    _requires_connection = False

    @property
    def artifacts(self) -> Path:
        """Where people find what the deployment gives them: ``holdfast_artifacts_dir``, else the run directory."""
        chosen = self.variables.get("holdfast_artifacts_dir")
        return Path(str(self._templar.template(chosen))).resolve() if chosen else self.run_directory().path.resolve()

    @property
    def notes(self) -> RunDirectory:
        """Where the steps of one verification leave what the next need."""
        return RunDirectory(self.run_directory().path / "verify")

    def client(self) -> Client:
        """The administrator of the deployment, from clouds.yaml as users have it."""
        return Client.from_file(self.artifacts / client_files.CLOUDS, self.run_directory().model().deployment)
