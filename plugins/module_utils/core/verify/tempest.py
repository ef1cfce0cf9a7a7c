# SPDX-License-Identifier: Apache-2.0
"""What OpenStack's acceptance tests need to know of a deployment, and which of them do not concern it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model import Model

REALMS = ("identity", "image", "object_storage", "volume")
IMAGE = "holdfast-tempest"
"""Name of the image that tests make volumes from."""

# Tests that fail for a reason which is not the deployment's fault, and the reason. Regular expressions.
EXCLUDED: Mapping[str, str] = {}


def selection(*, smoke: bool = True) -> str:
    """The regular expression of the tests that are run."""
    tests = rf"^tempest\.api\.({'|'.join(REALMS)})\."
    return rf"{tests}.*\[.*\bsmoke\b.*\]" if smoke else tests


def configuration(
    model: Model, cloud: Mapping[str, Any], *, image: str, directory: str
) -> dict[str, dict[str, str | int | bool | None]]:
    """Sections of tempest.conf.

    Args:
        model: the deployment.
        cloud: its administrator's entry in clouds.yaml.
        image: id of an image that every project may use; empty when there is none.
        directory: where the tests keep locks and logs.
    """
    auth = cloud["auth"]
    region = cloud.get("region_name")
    stores = [store["name"] for store in model.variables.get("glance_stores") or ()]
    backends = [backend for host in model.group("cinder_volume") for backend in host.variables["cinder_backends"]]
    protocols = {"rbd": "ceph", "nfs": "nfs"}
    return {
        "DEFAULT": {"log_dir": directory, "log_file": "tempest.log", "use_stderr": False},
        "auth": {
            "admin_username": auth["username"],
            "admin_password": auth["password"],
            "admin_project_name": auth["project_name"],
            "admin_domain_name": auth["user_domain_name"],
            "use_dynamic_credentials": True,
            "create_isolated_networks": False,
        },
        "identity": {
            "uri_v3": auth["auth_url"],
            "auth_version": "v3",
            "region": region,
            "ca_certificates_file": cloud.get("cacert"),
            "v3_endpoint_type": "public",
        },
        "identity-feature-enabled": {"api_v2": False, "security_compliance": False},
        "compute": {"image_ref": image, "image_ref_alt": image},
        "image": {"region": region, "http_image": ""},
        "image-feature-enabled": {"import_image": True, "os_glance_reserved": len(stores) > 0},
        "object-storage": {
            "region": region,
            "operator_role": str((model.variables.get("swift_operator_roles") or ["member"])[0]),
            "reseller_admin_role": "ResellerAdmin",
            "cluster_name": model.deployment,
        },
        "object-storage-feature-enabled": {"container_sync": False, "discoverability": True},
        "volume": {
            "catalog_type": "block-storage",
            "region": region,
            "storage_protocol": protocols.get(backends[0]["type"], "iSCSI") if backends else "ceph",
            "build_interval": 1,
            "build_timeout": 300,
        },
        "volume-feature-enabled": {
            "backup": bool(model.group("cinder_backup")),
            "snapshot": True,
            "clone": True,
            "multi_backend": False,
            "extend_attached_volume": False,
            "manage_volume": False,
            "manage_snapshot": False,
        },
        "service_available": {
            "cinder": bool(model.group("cinder_api")),
            "glance": bool(model.group("glance_api")),
            "swift": bool(model.group("swift_proxy")),
            "nova": False,
            "neutron": False,
            "horizon": False,
        },
        "validation": {"run_validation": False},
        "oslo_concurrency": {"lock_path": f"{directory}/locks"},
    }
