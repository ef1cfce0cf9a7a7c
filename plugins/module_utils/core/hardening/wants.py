# SPDX-License-Identifier: Apache-2.0
"""Hardened hosts: what a host should have of the kind. See ``subject.Wants``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..description.services import Services
from ..model import Host, Model

SSHD: Mapping[str, str] = {
    "PermitRootLogin": "prohibit-password",
    "PermitEmptyPasswords": "no",
    "HostbasedAuthentication": "no",
    "IgnoreRhosts": "yes",
    "StrictModes": "yes",
    "PermitUserEnvironment": "no",
    "X11Forwarding": "no",
    "PermitTunnel": "no",
    "AllowAgentForwarding": "no",
    "MaxAuthTries": "4",
    "LoginGraceTime": "30",
    "ClientAliveInterval": "300",
    "ClientAliveCountMax": "3",
    "LogLevel": "VERBOSE",
    "HostKeyAlgorithms": "-ssh-rsa*,ssh-dss*",
    "PubkeyAcceptedAlgorithms": "-ssh-rsa*,ssh-dss*",
    "Ciphers": "-*cbc*,arcfour*",
    "MACs": "-hmac-sha1*,hmac-md5*,umac-64*",
    "KexAlgorithms": "-diffie-hellman-group1-*,diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1",
}
"""Of the SSH server. Forwarding of connections stays: a host may be the way to others."""

_NO_PASSWORDS: Mapping[str, str] = {"PasswordAuthentication": "no", "KbdInteractiveAuthentication": "no"}

SYSCTL: Mapping[str, int | str] = {
    "fs.protected_fifos": 2,
    "fs.protected_hardlinks": 1,
    "fs.protected_regular": 2,
    "fs.protected_symlinks": 1,
    "fs.suid_dumpable": 0,
    "kernel.dmesg_restrict": 1,
    "kernel.kptr_restrict": 1,
    "kernel.unprivileged_bpf_disabled": 1,
    "kernel.yama.ptrace_scope": 1,
    "net.core.bpf_jit_harden": 1,
    "net.ipv4.conf.all.accept_redirects": 0,
    "net.ipv4.conf.all.accept_source_route": 0,
    "net.ipv4.conf.all.secure_redirects": 0,
    "net.ipv4.conf.all.send_redirects": 0,
    "net.ipv4.conf.default.accept_redirects": 0,
    "net.ipv4.conf.default.accept_source_route": 0,
    "net.ipv4.conf.default.secure_redirects": 0,
    "net.ipv4.conf.default.send_redirects": 0,
    "net.ipv4.icmp_echo_ignore_broadcasts": 1,
    "net.ipv4.tcp_syncookies": 1,
    "net.ipv6.conf.all.accept_redirects": 0,
    "net.ipv6.conf.default.accept_redirects": 0,
}
"""Of the kernel. What routes packets and which sources they may have is the networks' own (``core/networks``)."""


def hardening(model: Model, host: Host, services: Services, secrets: Mapping[str, str]) -> dict[str, Any]:
    """The options of the module. A host that is hardened no more gives back what it had of us.

    A container's kernel is its machine's, and left alone.
    """
    variables = host.variables
    on = bool(variables.get("hardening_enabled"))
    sshd = {**SSHD, **({} if variables.get("hardening_ssh_passwords") else _NO_PASSWORDS)}
    sysctl = {**SYSCTL, **(variables.get("hardening_sysctl") or {})}
    seconds = variables.get("networks_rollback_seconds") or model.variables.get("networks_rollback_seconds")
    return {
        "sshd": sshd if on else {},
        "sysctl": {name: str(value) for name, value in sysctl.items()} if on and not host.is_container else {},
        "rollback_seconds": int(seconds or 45),
    }
