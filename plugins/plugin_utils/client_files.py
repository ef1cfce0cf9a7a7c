# SPDX-License-Identifier: Apache-2.0
"""What a client on the controller needs: clouds.yaml, openrc and the authority's certificate."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CLOUDS, OPENRC, CA = "clouds.yaml", "openrc", "ca.pem"


def contents(
    deployment: str, cloud: Mapping[str, Any], environment: Mapping[str, str], ca: str
) -> dict[str, tuple[str, int]]:
    """Files by name, with their modes: the cloud with the deployment's name, the environment, the authorities."""
    clouds = yaml.safe_dump({"clouds": {deployment: dict(cloud)}}, sort_keys=False)
    openrc = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    return {CLOUDS: (clouds, 0o600), OPENRC: (openrc, 0o600), CA: (ca, 0o644)}


def write(path: Path, content: str, mode: int, *, check: bool = False) -> bool:
    """Write a file whole, unless it is as it should be. Returns whether it changed, or would without ``check``."""
    if path.exists() and path.read_text() == content and path.stat().st_mode & 0o777 == mode:
        return False
    if check:
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(content)
    temporary.replace(path)
    return True
