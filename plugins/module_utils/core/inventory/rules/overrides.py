# SPDX-License-Identifier: Apache-2.0
"""Rules about conf_overrides: they reach any option but those that hold the deployment together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import Finding
from ..draft import Draft, DraftHost, rule
from ..schema import KeyPath, dotted, shown

# What no host may have otherwise, and where it is said instead. By path below the variable, in lower case.
_PROTECTED = {
    r"swift_conf_overrides\.swift\.conf\.swift-hash\..*": "it decides where objects are, and is in the vault file",
    r"swift_conf_overrides\.swift\.conf\.storage-policy:.*": "policies are those of swift_policies, as the rings",
    r"swift_conf_overrides\.[a-z-]+\.conf\.default\.(devices|mount_check|swift_dir|user)": "disks and rings are there",
    r"cinder_conf_overrides\.default\.(host|cluster|enabled_backends)": "it is what volumes know their service by",
    r"cinder_conf_overrides\.coordination\..*": "the lock manager is that of the group etcd",
    r"glance_conf_overrides\.(default\.enabled_backends|glance_store\.default_backend)": "glance_stores says it",
    r"glance_conf_overrides\.default\.show_(multiple_locations|image_direct_url)": "it shows users where images are",
    r"keystone_conf_overrides\.(token\.provider|fernet_tokens\..*|credential\..*)": "Holdfast makes and rotates keys",
    r"keystone_conf_overrides\.default\.(admin_token|insecure_debug)": "it opens the identity service",
    r"mariadb_conf_overrides\.[^.]+\.(bind[-_]address|port|datadir|socket|ssl[-_].*|require[-_]secure[-_]transport"
    r"|skip[-_](grant[-_]tables|networking))": "the services and the firewall rely on it",
    r"rabbitmq_conf_overrides\.((listeners|ssl_options|management\.tcp|cluster_formation)\.|default_(user|pass)"
    r"|loopback_users).*": "the services and the firewall rely on it",
    r".*_conf_overrides\.(database\.connection|default\.transport_url)": "the inventory and the vault file say it",
    r".*_conf_overrides\.keystone_authtoken\.(username|password|auth_url|auth_type|insecure|cafile)": (
        "the inventory and the vault file say it, and certificates are verified"
    ),
    r".*\.(bind_ip|bind_port|bind_host|osapi_volume_listen(_port)?)": (
        "addresses and ports are those of the flow table, which the firewall knows"
    ),
}

# What a section and an option may be called so that the file still means the same. Ansible evaluates no keys.
_SECTION = re.compile(r"(?!.*\{\{)[^\s\[\]]([^\[\]\r\n]*[^\s\[\]])?")
_OPTION = re.compile(r"(?!.*\{\{)[^\s=:\[\]#;]([^=:\[\]\r\n]*[^\s=:\[\]])?")


@rule
def protected(draft: Draft) -> Iterator[Finding]:
    """Overrides leave alone what the rest of the deployment relies on."""
    for owner, path, wanted in _overrides(draft):
        text = dotted(path)
        for pattern, reason in _PROTECTED.items():
            if re.fullmatch(pattern, text, re.I):
                yield draft.error(
                    "overrides.protected",
                    path,
                    f"is {shown(wanted, path)}, and may not be overridden: {reason}.",
                    "Take it out.",
                    owner,
                )


@rule
def names(draft: Draft) -> Iterator[Finding]:
    """Sections and options have names, and values are one line: none of them can write another option."""
    for owner, path, wanted in _overrides(draft):
        for key in path[1:]:
            form = _OPTION if key == path[-1] else _SECTION
            if not form.fullmatch(str(key)):
                yield draft.error(
                    "overrides.name",
                    path,
                    f"{str(key)!r} is no name of {'an option' if form is _OPTION else 'a section'}.",
                    "Write names without brackets, equals signs, colons, expressions and line breaks.",
                    owner,
                )
        if isinstance(wanted, str) and re.search(r"[\r\n]", wanted):
            yield draft.error(
                "overrides.value",
                path,
                f"is {shown(wanted, path)}, of several lines: the next one would be an option of its own.",
                "Write the value in one line.",
                owner,
            )


def _overrides(draft: Draft) -> Iterator[tuple[DraftHost | None, KeyPath, Any]]:
    """Every option that is overridden: the host whose own it is, or None, its place, and its value."""
    for host in draft.hosts.values():
        for name, value in {**draft.variables, **host.variables}.items():
            if name.endswith("_conf_overrides"):
                owner = host if name in host.variables else None
                for path, wanted in _leaves((name,), value):
                    yield owner, path, wanted


def _leaves(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves((*path, key), inner)
    else:
        yield path, value
