# SPDX-License-Identifier: Apache-2.0
"""OpenStack's own tests: what tempest is told of a deployment, and which of its tests concern it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..model import Model

Sections = Mapping[str, Mapping[str, str | int | bool | None]]

IMAGE = "holdfast-tempest"
"""Name of the image that tests make volumes from."""


@dataclass(frozen=True)
class RealmTests:
    """The tests of a subject.

    Attributes:
        realm: the first word of the subject's stories in verify.json.
        package: where they are below ``tempest.api``.
        sections: what they need in tempest.conf.
        service: what tempest calls it in ``[service_available]``; empty for what is always there.
        plugins: packages of more tests, that plugins of tempest have. They have no smoke tests.
        excluded: tests that fail for a reason which is not the deployment's fault, and the reason. Regular expressions.
    """

    realm: str
    package: str
    sections: Callable[[Model], Sections]
    service: str = ""
    plugins: tuple[str, ...] = ()
    excluded: Mapping[str, str] = field(default_factory=dict)


def selection(packages: Iterable[str], *, plugins: Iterable[str] = (), smoke: bool = True) -> str:
    """The regular expression of the tests that are run; ``packages`` are below ``tempest.api``, ``plugins`` whole."""
    places = [rf"tempest\.api\.({'|'.join(packages)})", *map(re.escape, plugins)]
    return rf"^{places[0]}\..*\[.*\bsmoke\b.*\]" if smoke else rf"^({'|'.join(places)})\."


def configuration(
    model: Model,
    cloud: Mapping[str, Any],
    *,
    tests: Iterable[RealmTests],
    absent: Iterable[str],
    image: str,
    directory: str,
) -> dict[str, dict[str, str | int | bool | None]]:
    """Sections of tempest.conf.

    Args:
        model: the deployment.
        cloud: its administrator's entry in clouds.yaml.
        tests: those of the subjects that are deployed.
        absent: what tempest would take for deployed unless it is told.
        image: id of an image that every project may use; empty when there is none.
        directory: where the tests keep locks and logs.
    """
    auth = cloud["auth"]
    tests = tuple(tests)
    available = {**dict.fromkeys(absent, False), **{one.service: True for one in tests if one.service}}
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
            "region": cloud.get("region_name"),
            "ca_certificates_file": cloud.get("cacert"),
            "v3_endpoint_type": "public",
        },
        "compute": {"image_ref": image, "image_ref_alt": image},
        **{name: dict(options) for one in tests for name, options in one.sections(model).items()},
        "service_available": available,
        "validation": {"run_validation": False},
        "oslo_concurrency": {"lock_path": f"{directory}/locks"},
    }
