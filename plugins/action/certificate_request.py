# SPDX-License-Identifier: Apache-2.0
"""Action ``certificate_request``: what the role pki signs. Documented in plugins/modules/certificate_request.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations import chain, pem, wants
from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations.kinds import certificate
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import planning
from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store
from ansible_collections.holdfast.storage.plugins.plugin_utils.deployment_action import DeploymentAction

STEP = "certificates/certificate"


class ActionModule(DeploymentAction):
    """Hands the names, the terms and the keys of the deployment's certificates to the tasks that follow."""

    def act(self, options: dict[str, Any]) -> dict[str, Any]:
        deployment = self.deployment()
        model, secrets = deployment.model, deployment.secrets
        host = planning.host_named(model, self.host)
        authority = secret_store.location(self.inventory_dir).with_name("ca.pem")
        brings_own = "haproxy" in host.groups and bool(secrets.get(certificate.SITE_CERTIFICATE))
        planned = self.run_directory().read("plan.json")["hosts"][self.host]["steps"].get(STEP, ())
        return {
            "changed": False,
            "serves": any(change["subject"] == f"{certificate.DIRECTORY}/host.pem" for change in planned),
            "names": wants.names(model, host),
            "common_name": host.name,
            "authority_name": f"Holdfast authority of {model.deployment}"[:64],
            "authority_key": secrets[certificate.AUTHORITY_KEY],
            "authority_path": str(authority),
            "authority_certificate": _kept(authority),
            "authority_days": wants.authority_days(model),
            "site_authority": certificate.normal(secrets.get(certificate.SITE_AUTHORITY, "")),
            "site_certificate": certificate.normal(secrets[certificate.SITE_CERTIFICATE]) if brings_own else "",
            "site_key": certificate.normal(secrets[certificate.SITE_KEY]) if brings_own else "",
        }


def _kept(path: Path) -> str:
    """The authority's certificate as a run has kept it. Nothing of what is none: it is made anew, of the same key."""
    try:
        text = pem.certificates(path.read_bytes())
        chain.certificate(text)
    except (FileNotFoundError, chain.UnreadableError):
        return ""
    return text
