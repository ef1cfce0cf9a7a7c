# SPDX-License-Identifier: Apache-2.0
"""The deployment's secrets: one ansible-vault file beside the inventory, never plain on a disk."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import domain, known_secrets
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import secrets
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.secrets import Form
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model

VARIABLE = "holdfast_secrets"
FILE = "group_vars/all/secrets.yml"
_HEADER = b"$ANSIBLE_VAULT"
_FIX = "Give a vault password: --vault-password-file, --ask-vault-pass, or vault_password_file in ansible.cfg."


def named_by(model: Model) -> dict[str, Form]:
    """The secrets that the inventory asks for, no description of a service has and Holdfast can make: forms by name."""
    return {name: form for name, form in domain().named_secrets(model).items() if form}


def load(loader: DataLoader, inventory_dir: str | Path, *, ephemeral_for: Model | None = None) -> dict[str, str]:
    """All secrets of the deployment. Those that ``ephemeral_for`` misses are made, for this process only.

    ``loader`` is Ansible's, which has the vault passwords. Raises HoldfastError when the file can not be read.
    """
    existing = read(loader, inventory_dir)
    if ephemeral_for is None:
        return existing
    return secrets.complete(existing, {**known_secrets(), **named_by(ephemeral_for)})


def read(loader: DataLoader, inventory_dir: str | Path) -> dict[str, Any]:
    """The secrets in the file; empty when there is no file. Raises HoldfastError when it can not be read."""
    path = location(inventory_dir)
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise HoldfastError(
            f"{path} can not be read: {error.strerror}. Put the file there, and let it be read."
        ) from error
    raw = decrypted(loader, raw, path)
    try:
        content = yaml.safe_load(raw) or {}
    except yaml.YAMLError:
        # The parser's message would show a part of the file.
        raise HoldfastError(f"{path} is not valid YAML. Correct it with `ansible-vault edit`.") from None
    found = content.get(VARIABLE) if isinstance(content, dict) else None
    if not isinstance(found, dict):
        raise HoldfastError(
            f"{path} is not a mapping with the one key {VARIABLE}, itself a mapping of names to secrets. "
            "Correct it with `ansible-vault edit`."
        )
    return {str(name): value for name, value in found.items()}


def save(loader: DataLoader, inventory_dir: str | Path, values: Mapping[str, str]) -> None:
    """Write the secrets encrypted, whole or not at all, 0600. Raises HoldfastError without a vault password."""
    path = location(inventory_dir)
    text = yaml.safe_dump({VARIABLE: dict(values)}, sort_keys=True, width=4096)
    try:
        encrypted = _vault(loader).encrypt(text)
    except AnsibleError as error:
        raise HoldfastError(f"{path} can not be encrypted: {error.message}. {_FIX}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".secrets-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(encrypted)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def seal(loader: DataLoader, content: Any) -> str:
    """Plain content as JSON in a vault. Raises HoldfastError without a vault password."""
    try:
        return str(_vault(loader).encrypt(json.dumps(content)).decode())
    except AnsibleError as error:
        raise HoldfastError(f"Secrets of the inventory can not be encrypted: {error.message}. {_FIX}") from error


def unseal(loader: DataLoader, sealed: str) -> Any:
    """What was sealed. Raises HoldfastError when no password opens it."""
    return json.loads(decrypted(loader, sealed.encode(), "sealed.json of the run directory"))


def decrypted(loader: DataLoader | None, content: bytes, path: str | Path) -> bytes:
    """The content of a file, decrypted when it is a vault. Raises HoldfastError when no password fits."""
    if not content.startswith(_HEADER):
        return content
    if not loader:
        raise HoldfastError(f"{path} can not be decrypted: there are no passwords yet. {_FIX}")
    try:
        clear: bytes = _vault(loader).decrypt(content)
    except AnsibleError as error:
        reason = " ".join(error.message.split()).rstrip(".")
        raise HoldfastError(f"{path} can not be decrypted: {reason}. {_fix(reason)}") from error
    return clear


def _fix(reason: str) -> str:
    """What helps against a failed decryption: no password opens what is damaged."""
    return "Put the file back from a backup: it is damaged." if "format" in reason else _FIX


def is_encrypted(path: str | Path) -> bool:
    """Whether a file as a whole is in a vault. What is no plain file holds no secret, and counts as one that is."""
    if not os.path.isfile(path):
        return True
    try:
        with open(path, "rb") as stream:
            return stream.read(len(_HEADER)) == _HEADER
    except OSError:
        return True


def location(inventory_dir: str | Path) -> Path:
    """The file of the secrets of an inventory."""
    return Path(inventory_dir) / FILE


def _vault(loader: DataLoader) -> VaultLib:
    # Ansible has no public way from a loader to its passwords.
    vault: VaultLib = loader._vault
    return vault
