# SPDX-License-Identifier: Apache-2.0
"""What a host must be before anything else is asked of it. It is only looked at: its plan has findings, no changes."""

from __future__ import annotations

import os
import time
from typing import Any

from ...change import Plan
from ...errors import Finding, Severity
from ...host_io import IO

DISTRIBUTIONS = {"debian": ("13",)}
ARCHITECTURES = ("x86_64", "aarch64")
SKEW_SECONDS = 10


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"sources": "/etc/apt"}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """Distribution, version, architecture, systemd, memory and free disk in MiB, apt suites, hostname, and the time."""
    release = dict(
        line.replace('"', "").split("=", 1)
        for line in (io.read_text("/etc/os-release") or "").splitlines()
        if "=" in line
    )
    memory = (io.read_text("/proc/meminfo") or "MemTotal: 0 kB").split("\n", 1)[0].split()[1]
    root = os.statvfs("/")
    return {
        "distribution": release.get("ID", "unknown"),
        "version": release.get("VERSION_ID", "unknown"),
        "architecture": os.uname().machine,
        "systemd": io.exists("/run/systemd/system"),
        "root": os.geteuid() == 0,
        "memory_mib": int(memory) // 1024,
        "disk_mib": root.f_bavail * root.f_frsize // 2**20,
        "security_suite": "-security" in _sources(io, asked["sources"]),
        "hostname": os.uname().nodename,
        "time": time.time(),
    }


def _sources(io: IO, directory: str) -> str:
    parts = f"{directory}/sources.list.d"
    listed = [f"{directory}/sources.list", *(f"{parts}/{name}" for name in io.listdir(parts))]
    lines = [line for path in listed for line in (io.read_text(path) or "").splitlines()]
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    found = []

    def refuse(code: str, what: str, fix: str, severity: Severity = "error") -> None:
        found.append(Finding(severity, f"platform.{code}", wanted["host"], what, fix))

    name = f"{current['distribution']} {current['version']}"
    if current["version"] not in DISTRIBUTIONS.get(current["distribution"], ()):
        refuse("distribution", f"The host runs {name}, which is not supported.", "Install Debian 13 (trixie).")
    if current["architecture"] not in ARCHITECTURES:
        refuse("architecture", f"{current['architecture']} is not supported.", f"Use {' or '.join(ARCHITECTURES)}.")
    if not current["systemd"]:
        refuse("systemd", "systemd does not run there.", "Boot the host with systemd as its first process.")
    if not current["root"]:
        refuse("root", "The connection is not root's.", "Set ansible_become: true, with sudo without a password.")
    for what, unit in (("memory", "MiB"), ("disk", "MiB free on /")):
        has, needs = current[f"{what}_mib"], wanted[f"{what}_mib"]
        if has < needs:
            refuse(
                what,
                f"{has} {unit}, at least {needs} are needed.",
                f"Add {what}, or lower holdfast_minimum_{what}_mib.",
            )
    if not current["security_suite"]:
        refuse(
            "security_suite",
            "No apt source of the host names the security suite.",
            "Add trixie-security to /etc/apt/sources.list.d.",
        )
    if abs(current.get("skew_seconds", 0)) > SKEW_SECONDS:
        refuse(
            "clock",
            f"Its clock is {current['skew_seconds']:+.0f} s off the controller's; tokens need one time.",
            "Synchronise both (chrony), then run again.",
        )
    if current["hostname"].partition(".")[0] != wanted["host"].partition(".")[0]:
        refuse(
            "hostname", f"It calls itself {current['hostname']}.", f"hostnamectl hostname {wanted['host']}", "advice"
        )
    return Plan((), tuple(found))


def apply(io: IO, plan: Plan) -> None:
    """Nothing: the plan has no changes."""
