# SPDX-License-Identifier: Apache-2.0
"""Action ``share_file``: between the service of shared file systems and a client. See plugins/modules/share_file.py."""

from __future__ import annotations

import base64
import secrets
import struct
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.manila import stories
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import scrubbed
from ansible_collections.holdfast.storage.plugins.plugin_utils.verify_action import VerifyAction


class ActionModule(VerifyAction):
    """Gives a client access or takes it, and has it reach the share. The key of a client of CephFS is in no result."""

    _requires_connection = True
    _VALID_ARGS = frozenset(
        {"share", "run", "access", "client", "protocol", "filesystem", "file", "seed", "size", "kernel", "refused",
         "patience"}
    )  # fmt: skip

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        for name in ("share", "run", "client", "protocol", "size"):
            if not options.get(name):
                raise HoldfastError(f"share_file: {name} is missing.")
        cloud, protocol, client = self.client(), options["protocol"], options["client"]
        share = stories.find(cloud, options["run"], options["share"])["id"]
        if options.get("access") == "allow":
            stories.allow(cloud, share, protocol, client)
        elif options.get("access") == "deny":
            stories.deny(cloud, share, client)
        here = {key: value for key, value in options.items() if key not in ("share", "run", "access", "client")}
        here["location"] = stories.location(cloud, share)
        known: dict[str, str] = {}
        if protocol == "CEPHFS":
            given = next((rule for rule in stories.rules(cloud, share) if rule["access_to"] == client), {})
            # Who has no access comes with a key that nobody made.
            known = {"key": given.get("access_key") or _no_key()}
            here |= {"user": client, **known}
        done: dict[str, Any] = self._execute_module(
            "holdfast.storage.share_file", module_args=here, task_vars=self.variables
        )
        if done.get("failed"):
            raise HoldfastError(str(done.get("msg") or "The module gave no reason."))
        told = {key: value for key, value in done.items() if not key.startswith("_ansible") and key != "invocation"}
        result: dict[str, Any] = scrubbed(told, known)
        return result


def _no_key() -> str:
    """A key of cephx that Ceph does not know."""
    return base64.b64encode(struct.pack("<HIIH", 1, 0, 0, 16) + secrets.token_bytes(16)).decode()
