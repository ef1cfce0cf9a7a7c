# SPDX-License-Identifier: Apache-2.0
"""What services stand on: what a host should have of each kind. See ``subject.Wants``."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from .. import flows
from ..description.services import Services
from ..model import Host, Model
from .kinds import certificate as certificate_kind
from .kinds import database as database_kind
from .kinds import message_queue as message_queue_kind

_LOOPBACK = "127.0.0.1"


def names(model: Model, host: Host) -> list[str]:
    """What the host's certificate is for, as openssl writes it, sorted; empty when the host needs none."""
    if not flows.shows_certificate(model, host):
        return []
    found = {f"DNS:{host.name}", f"IP:{host.addresses['mgmt']}"}
    if "etcd" in host.groups:
        # Clients come through a relay on their own host, which knows all members.
        found.add(f"IP:{_LOOPBACK}")
    if "haproxy" in host.groups:
        found.add(f"IP:{model.variables['haproxy_address']}")
        if name := model.variables.get("haproxy_name"):
            found.add(f"DNS:{name}")
    return sorted(found)


def authority_days(model: Model) -> int:
    """Days that the authority's certificate must still be good for: no host's may outlive it."""
    return int(min(model.variables["pki_certificate_days"], model.variables["pki_ca_days"] // 2))


def certificate(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{authority, site_authority, names, site, renew_before_days, authority_days}``.

    ``authority`` is the digest of its public key, ``site_authority`` that of the site's CA certificates. ``names`` are
    what the host's certificate is for, empty when it serves no TLS; ``site`` holds digests of the certificate and key
    that the site brings for the load balancer. Nothing where no host of the deployment serves TLS.
    """
    if not model.group(*flows.serving_tls()):
        return {}  # Nobody serves TLS, and there is no authority.
    site = "haproxy" in host.groups and bool(secrets.get(certificate_kind.SITE_CERTIFICATE))
    return {
        "authority": certificate_kind.public_key_digest(secrets[certificate_kind.AUTHORITY_KEY]),
        "site_authority": certificate_kind.digest(
            certificate_kind.normal(secrets.get(certificate_kind.SITE_AUTHORITY) or "")
        ),
        "names": names(model, host),
        "site": [
            certificate_kind.digest(certificate_kind.normal(secrets[name]))
            for name in (certificate_kind.SITE_CERTIFICATE, certificate_kind.SITE_KEY)
        ]
        if site
        else [],
        "renew_before_days": model.variables["pki_renew_before_days"],
        "authority_days": authority_days(model),
    }


def database(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{databases: [{name, user, password, hosts, character_set}]}`` on the first server, for br-mgmt only."""
    if model.group("mariadb")[:1] != (host,):
        return {}
    network = ipaddress.ip_network(model.networks["mgmt"].cidr)
    hosts = [network.with_netmask]
    databases = [
        {
            "name": entry["name"],
            "user": entry.get("account", entry["name"]),
            "password": secrets[f"{entry.get('account', entry['name'])}_database_password"],
            "hosts": hosts,
            "character_set": entry.get("character_set", database_kind.CHARACTER_SET),
        }
        for _, entries in services.entries("databases")
        for entry in entries
    ]
    return {"databases": databases} if databases else {}


def message_queue(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """``{virtual_hosts: [name], users: [{name, password, virtual_host}], credentials}`` on the first member."""
    if model.group("rabbitmq")[:1] != (host,):
        return {}
    users = [
        {
            "name": entry["vhost"],
            "password": secrets[f"{entry['vhost']}_message_queue_password"],
            "virtual_host": entry["vhost"],
        }
        for _, entry in services.entries("message_queue")
    ]
    if not users:
        return {}
    return {
        "users": users,
        "virtual_hosts": [user["virtual_host"] for user in users],
        "credentials": message_queue_kind.CREDENTIALS,
    }
