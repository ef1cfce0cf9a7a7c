# SPDX-License-Identifier: Apache-2.0
"""Rules about options of Ceph, in its database and in ceph.conf: they undo nothing that the rest relies on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import Finding
from ...inventory.draft import Draft, DraftHost, rule
from ...inventory.schema import KeyPath, did_you_mean
from .. import values as ceph
from .cluster import POOLS, known_pools

CONFIG = "ceph_config"
LEAST_OSD_MEMORY = 896 * 1024**2

# What may not be set at all, and why: Holdfast itself decides it.
_OWN_OPTIONS = {
    re.compile(pattern): because
    for pattern, because in {
        r"fsid|mon_host|mon_initial_members|(public|cluster)_(network|addr|bind_addr)(_interface)?|ms_bind_.*"
        r"|ms_(mon_)?(cluster|service|client)_mode|ms_(cluster_|public_)?type"
        r"|auth_((cluster|service|client)_required|supported|allow_insecure_global_id_reclaim)"
        r"|cephx_(require|cluster_require|service_require|sign)_.*"
        r"|key(ring|file)?": "networks, protocol and keys are those of the inventory, which firewalls know",
        r"mon_max_pg_per_osd|osd_max_pg_per_osd_hard_ratio": "placement groups on a disk are counted by its default",
        r"(mon|osd|mgr|mds|rgw)_data": "Holdfast makes and looks for daemons where Ceph has them",
        r"(osd_)?crush_location(_hook)?|osd_crush_(update_on_start|initial_weight|chooseleaf_type)": (
            "Ceph's map is that of the hosts, of ceph_rack and ceph_failure_domain"
        ),
        r"rgw_frontends|rgw_frontend_defaults|rgw_(host|port|socket_path)": (
            "the gateways' address and port are those of the flow table, which the firewall and the load balancer know"
        ),
        r"rgw_keystone_(url|api_version|admin_.*|accepted_.*|implicit_tenants|barbican_.*)": (
            "gateways ask the identity service of this deployment"
        ),
    }.items()
}
# What must keep certificates checked.
_CHECKS = re.compile(r"rgw_(keystone_)?verify_ssl|rgw_crypt_(vault|kmip|sse_s3_vault)_verify_ssl")
# What must stay on, and what comes of it otherwise.
_STAYS = {"rgw_enforce_swift_acls": "access lists of containers would count for nothing"}
# What makes one copy enough, unless that is acknowledged: the value with which it does.
_COPIES = {"osd_pool_default_size": (0, 1), "osd_pool_default_min_size": (1,)}
_ONE_COPY = "mon_allow_pool_size_one"
_SECTIONS = ("global", "mon", "mgr", "osd", "mds", "client")
_SECTION = re.compile(
    rf"({'|'.join(_SECTIONS)})(\.[A-Za-z0-9_.-]+)?(/(class|host|rack|root|row|room|datacenter):[\w.-]+)?"
)
_OPTION = re.compile(r"[a-z][a-z0-9]*([_ /-][A-Za-z0-9]+)*")


@rule
def options(draft: Draft) -> Iterator[Finding]:
    """Options leave alone what the rest relies on, and leave the OSDs the memory that they need."""
    sources: list[tuple[str, Any, DraftHost | None]] = [(CONFIG, draft.variables.get(CONFIG), None)]
    sources += [
        ("ceph_conf_overrides", host.variables.get("ceph_conf_overrides"), host) for host in draft.hosts.values()
    ]
    for variable, content, host in sources:
        for section, given in (content or {}).items():
            yield from _section(draft, (variable, section), section, host)
            for name, value in given.items() if isinstance(given, Mapping) else ():
                yield from _option(draft, (variable, section, name), name, value, host)


def _option(draft: Draft, path: KeyPath, name: str, value: Any, host: DraftHost | None) -> Iterator[Finding]:
    option = name.replace(" ", "_").replace("-", "_").lower()
    because = next((why for pattern, why in _OWN_OPTIONS.items() if pattern.fullmatch(option)), "")
    if not _OPTION.fullmatch(name):
        yield draft.error(
            "ceph.option",
            path,
            f"is no name of an option of Ceph: {name!r}.",
            "Write it in lower case with underscores, such as osd_memory_target.",
            host,
        )
    elif because:
        yield draft.error("ceph.option", path, f"may not be set: {because}.", "Take it out.", host)
    elif _CHECKS.fullmatch(option) and not _is_true(value):
        what = f"is {value!r}: whoever is asked could be somebody else."
        yield draft.error("ceph.option", path, what, "Take it out.", host)
    elif option in _STAYS and not _is_true(value):
        yield draft.error("ceph.option", path, f"is {value!r}: {_STAYS[option]}.", "Take it out.", host)
    elif _keeps_one_copy(option, value) and not draft.acknowledges("ceph_single_copy"):
        yield draft.error(
            "ceph.pool-size",
            path,
            f"is {value!r}: the loss of a disk could be the loss of data.",
            "Take it out, or accept it: holdfast_acknowledge: [ceph_single_copy].",
            host,
        )
    elif option == "rbd_default_data_pool" and (known := known_pools(draft)) is not None and str(value) not in known:
        what = f"is {value!r}, and there is no such pool in {POOLS}."
        fix = f"{did_you_mean(str(value), known)}Pools: {', '.join(known) or 'none'}."
        yield draft.error("ceph.pool-unknown", path, what, fix, host)
    elif option == "osd_memory_target":
        yield from _memory(draft, path, value, host)


def _keeps_one_copy(option: str, value: Any) -> bool:
    if option == _ONE_COPY:
        return str(value).strip().lower() not in ("false", "no", "off", "0")
    try:
        return int(str(value)) in _COPIES.get(option, ())
    except ValueError:
        return False


def _is_true(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "yes", "on", "1")


def _section(draft: Draft, path: KeyPath, section: str, host: DraftHost | None) -> Iterator[Finding]:
    if not _SECTION.fullmatch(section):
        hint = did_you_mean(section, _SECTIONS)
        yield draft.error(
            "ceph.section",
            path,
            f"{section!r} is no section of Ceph's configuration.",
            f"{hint}Give {', '.join(_SECTIONS)} or a daemon, such as osd.0.",
            host,
        )
    name = section.partition("/host:")[2]
    if name and name not in draft.hosts:
        hint = did_you_mean(name, draft.hosts)
        yield draft.error(
            "ceph.section",
            path,
            f"is for the host {name!r}, which is not in the inventory.",
            f"{hint}Name a host of the inventory.",
            host,
        )


def _memory(draft: Draft, path: KeyPath, value: Any, host: DraftHost | None) -> Iterator[Finding]:
    try:
        size = int(ceph.canonical(value, "size"))
    except ValueError:
        yield draft.error("ceph.osd-memory", path, f"is {value!r}, which is no size.", "Give a size such as 4G.", host)
        return
    if size < LEAST_OSD_MEMORY:
        yield draft.error(
            "ceph.osd-memory", path, f"is {value!r}, less than the 896M that Ceph takes.", "Give at least 896M.", host
        )
