# SPDX-License-Identifier: Apache-2.0
"""What services stand on: what expressions of service descriptions may ask. See ``description.expressions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import flows
from ..description.expressions import CA_BUNDLE, View
from .secrets import certificate_of


def names(view: View) -> Mapping[str, Any]:
    """The URLs of a database and of a message queue, and the certificate in a secret that has one."""

    def database_url(name: str) -> str:
        """The URL of a schema whose account has the same name, over TLS."""
        target = flows.dial_addresses(view.model, view.host, "mariadb")[0]
        password = view.secret(f"{name}_database_password")
        return (
            f"mysql+pymysql://{name}:{password}@{target}:{flows.port('mariadb')}/{name}"
            f"?charset=utf8mb4&ssl_ca={CA_BUNDLE}&ssl_check_hostname=true"
        )

    def queue_url(name: str) -> str:
        """The URL of a virtual host whose user has the same name, on all members."""
        user = f"{name}:{view.secret(f'{name}_message_queue_password')}"
        return "rabbit://" + ",".join(f"{user}@{to}" for to in view.dial("rabbitmq")) + f"/{name}"

    def queue_nodes() -> list[str]:
        """The members of the message queue, as they name each other."""
        return [f"rabbit@{address}" for address in view.members("rabbitmq")]

    return {
        "database_url": database_url,
        "queue_url": queue_url,
        "queue_nodes": queue_nodes,
        "certificate_of": certificate_of,
    }
