# SPDX-License-Identifier: Apache-2.0
"""The certificate that a site brings for the load balancer: files on the controller, as secrets of the deployment."""

from __future__ import annotations

from pathlib import Path

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations.kinds import certificate
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model

FILES = {
    certificate.SITE_CERTIFICATE: "haproxy_certificate_file",
    certificate.SITE_KEY: "haproxy_key_file",
    certificate.SITE_AUTHORITY: "haproxy_ca_file",
}


def load(loader: DataLoader, model: Model, inventory_dir: str) -> dict[str, str]:
    """The contents of the files that the model names, by secret; of encrypted ones as ansible-vault opens them.

    Relative paths start at the inventory. Raises HoldfastError for a file that cannot be read.
    """
    found = {}
    for secret, variable in FILES.items():
        if path := model.variables.get(variable):
            try:
                found[secret] = Path(loader.get_real_file(str(Path(inventory_dir, path)))).read_text()
            except (AnsibleError, OSError) as error:
                raise HoldfastError(
                    f"{variable}: {path} cannot be read: {error}. Fix: give the path of a PEM file on the controller."
                ) from error
    return found
