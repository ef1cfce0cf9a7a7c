# SPDX-License-Identifier: Apache-2.0
"""Rules about conf_overrides: they reach any option but those that hold the deployment together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Finding
from ..schema import KeyPath, dotted, shown
from . import Draft, rule

# What no host may have otherwise, and where it is said instead. By path below the variable, in lower case.
_PROTECTED = {
    r"swift_conf_overrides\.swift\.conf\.swift-hash\..*": "it decides where objects are, and is in the vault file",
    r"swift_conf_overrides\.swift\.conf\.storage-policy:.*": "policies are those of swift_policies, as the rings",
    r"cinder_conf_overrides\.default\.(host|cluster|enabled_backends)": "it is what volumes know their service by",
    r".*\.(bind_ip|bind_port|bind_host)": "addresses and ports are those of the flow table, which the firewall knows",
}


@rule
def protected(draft: Draft) -> Iterator[Finding]:
    """Overrides leave alone what the rest of the deployment relies on."""
    for host in draft.hosts.values():
        for name, value in {**draft.variables, **host.variables}.items():
            if not name.endswith("_conf_overrides"):
                continue
            owner = host if name in host.variables else None
            for path, wanted in _leaves((name,), value):
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


def _leaves(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves((*path, key), inner)
    else:
        yield path, value
