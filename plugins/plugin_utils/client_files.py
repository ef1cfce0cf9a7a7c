# SPDX-License-Identifier: Apache-2.0
"""What a client on the controller needs: clouds.yaml, openrc and the authority's certificate."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import yaml

from ansible_collections.holdfast.storage.plugins.module_utils.core import flows
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model

CLOUDS, OPENRC, CA = "clouds.yaml", "openrc", "ca.pem"


def contents(model: Model, directory: Path, *, password: str, ca: str) -> dict[str, tuple[str, int]]:
    """Files by name, with their modes, of the administrator of the deployment."""
    place = model.variables.get("haproxy_name") or flows.balancer_address(model)
    cafile = str(directory / CA)
    auth = {
        "auth_url": f"https://{place}:{flows.port('keystone')}/v3",
        "username": "admin",
        "password": password,
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    region = str(model.variables.get("holdfast_region") or "RegionOne")
    cloud = {"auth": auth, "region_name": region, "cacert": cafile, "identity_api_version": "3"}
    environment = {
        **{f"OS_{name.upper()}": value for name, value in auth.items()},
        "OS_REGION_NAME": region,
        "OS_CACERT": cafile,
        "OS_IDENTITY_API_VERSION": "3",
        "OS_AUTH_TYPE": "password",
    }
    openrc = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    clouds = yaml.safe_dump({"clouds": {model.deployment: cloud}}, sort_keys=False)
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
