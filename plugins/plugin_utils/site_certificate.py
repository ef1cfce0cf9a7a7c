# SPDX-License-Identifier: Apache-2.0
"""The certificate that a site brings for the load balancer: files on the controller, as secrets of the deployment."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping

from ansible.parsing.dataloader import DataLoader

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations import own_certificate, pem
from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations.kinds import certificate
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.draft import ControllerFile
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store
from ansible_collections.holdfast.storage.plugins.plugin_utils.yaml_files import short

FILES: Mapping[str, tuple[str, Callable[[bytes], str]]] = {
    certificate.SITE_CERTIFICATE: (own_certificate.CERTIFICATE, pem.certificates),
    certificate.SITE_KEY: (own_certificate.KEY, pem.key),
    certificate.SITE_AUTHORITY: (own_certificate.AUTHORITY, pem.certificates),
}
"""By secret, the variable that names its file, and what of the file it is."""

# The certificates of all public authorities together are a quarter of that.
_MOST_BYTES = 1 << 20


def load(loader: DataLoader, model: Model, inventory_dir: str) -> dict[str, str]:
    """What the files hold that the model names, in PEM, by secret. Raises HoldfastError when one can not be read."""
    found = {}
    for secret, (variable, part) in FILES.items():
        if path := model.variables.get(variable):
            try:
                found[secret] = part(read(loader, inventory_dir, path).content)
            except HoldfastError as error:
                raise HoldfastError(f"{variable}: {path} can not be read: {error.message}") from error
    return found


def read(loader: DataLoader, inventory_dir: str, path: str) -> ControllerFile:
    """A file of the controller, decrypted in memory when it is in a vault. A relative path starts at the inventory.

    Raises HoldfastError for what is no file that can be read.
    """
    place = os.path.join(inventory_dir, os.path.expanduser(path))
    try:
        # What is no plain file may never end.
        mode = os.stat(place).st_mode
        if not stat.S_ISREG(mode):
            what = "is a directory" if stat.S_ISDIR(mode) else "is no plain file"
            raise HoldfastError(f"{place} {what}. Fix: Give the path of the file itself.")
        with open(place, "rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        fix = f"Put the file there, or correct the path. A relative one starts at {inventory_dir}."
        raise HoldfastError(f"there is no file {place}. Fix: {fix}") from None
    except PermissionError:
        fix = "Let the user who runs Ansible read it."
        raise HoldfastError(f"the user {os.geteuid()} may not read {place}. Fix: {fix}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise HoldfastError(f"{place}: {reason}. Fix: Give the path of a readable file.") from None
    if len(content) > _MOST_BYTES:
        raise HoldfastError(f"{place} has more than {_MOST_BYTES} bytes. Fix: Give a file with one chain.")
    try:
        clear = secret_store.decrypted(loader, content, place)
    except HoldfastError as error:
        what, _, fix = error.message.partition(". ")
        raise HoldfastError(f"{what}. Fix: {fix}") from None
    return ControllerFile(short(place), clear, clear is not content)
