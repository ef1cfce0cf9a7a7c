#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Look for every generated secret where none may stand, and name it and the place. Needs the lab, as root.

Looks, for each secret and for its base64 and URL-quoted forms, in: the logs, the report and verify.json, the run
directory, the output of a run with -vvv, and on each host the journal, /var/log and the command lines of all processes;
and in the command lines of this machine's processes while that run goes on.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import FileVaultSecret

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import is_public  # noqa: E402

BIN = Path(sys.executable).parent
ALLOWED = {"clouds.yaml", "openrc"}
SHORTEST = 16
CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

HOST_SCRIPT = r"""
import os, subprocess, sys
needles = [line for line in sys.stdin.buffer.read().split(b"\n") if line]
def look(place, data):
    for number, needle in enumerate(needles):
        if needle in data:
            print(number, place)
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        look("/proc/*/cmdline", open(f"/proc/{pid}/cmdline", "rb").read())
    except OSError:
        pass
for directory, _, names in os.walk("/var/log"):
    if directory.startswith("/var/log/journal"):
        continue
    for name in names:
        path = os.path.join(directory, name)
        try:
            look(path, open(path, "rb").read())
        except OSError:
            pass
look("journal", subprocess.run(["journalctl", "--no-pager", "-o", "cat", "-a"], stdout=subprocess.PIPE).stdout)
print("done")
"""


def secrets(inventory: Path) -> dict[str, str]:
    """The vault file's secrets by name, those in maps and lists too, without what is kept there and is no secret."""
    loader = DataLoader()
    password = subprocess.run([ROOT / "scripts/vault-password"], capture_output=True, check=True).stdout.strip()
    vault: Any = FileVaultSecret(loader=loader)
    vault._bytes = password
    loader.set_vault_secrets([("default", vault)])
    content = loader.load_from_file(str(inventory / "group_vars/all/secrets.yml"))
    return {name: value for name, value in _flat("", content) if not is_public(name.rpartition(".")[2])}


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _flat(f"{name}.{number}", item)
    elif isinstance(value, str) and len(value) >= SHORTEST:
        yield name, str(value)


def forms(known: Mapping[str, str]) -> list[tuple[str, bytes]]:
    """What to look for: each secret as it is, encoded, and for keys of several lines each of their lines.

    A certificate that stands beside its key is for everybody.
    """
    found = []
    for name, value in known.items():
        secret = CERTIFICATE.sub("", value)
        lines = [line for line in secret.splitlines() if len(line) >= SHORTEST and not line.startswith("-----")]
        for line in lines:
            raw = line.encode()
            found += [(name, form) for form in {raw, base64.b64encode(raw).rstrip(b"="), quote(line, safe="").encode()}]
    return found


def in_bytes(needles: list[tuple[str, bytes]], data: bytes, place: str) -> Iterator[str]:
    for name, needle in needles:
        if needle in data:
            yield f"{name} stands in {place}"


def in_files(needles: list[tuple[str, bytes]], paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        if path.is_file() and path.name not in ALLOWED:
            yield from in_bytes(needles, path.read_bytes(), str(path))


class CommandLines(threading.Thread):
    """Every command line on this machine, while it runs. The vault's own files are read by Ansible, not passed."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.05):
            for entry in os.listdir("/proc"):
                if entry.isdigit():
                    try:
                        self.seen.add(Path(f"/proc/{entry}/cmdline").read_bytes())
                    except OSError:
                        continue


def verbose_run(inventory: Path, playbook: str) -> tuple[bytes, bytes]:
    """Output of a run with -vvv, and the command lines that were seen meanwhile."""
    watch = CommandLines()
    watch.start()
    with tempfile.TemporaryDirectory() as logs:
        environment = {**os.environ, "HOLDFAST_LOG_DIR": logs}
        command = [str(BIN / "ansible-playbook"), "-vvv", "-i", str(inventory), f"playbooks/{playbook}.yml", "--diff"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
        written = b"".join(path.read_bytes() for path in Path(logs).iterdir())
    watch.ended.set()
    watch.join()
    if done.returncode:
        sys.exit(f"{playbook}.yml -vvv failed:\n{done.stdout[-3000:].decode(errors='replace')}")
    return done.stdout + done.stderr + written, b"\n".join(watch.seen)


def on_hosts(inventory: Path, needles: list[tuple[str, bytes]]) -> Iterator[str]:
    """Each host looks itself. The secrets go there by stdin of ssh."""
    shown = subprocess.run(
        [BIN / "ansible-inventory", "-i", inventory, "--list"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = json.loads(shown.stdout)["_meta"]["hostvars"]
    lab = inventory.resolve().parents[1] / ".lab"
    for host, variables in sorted(listed.items()):
        command = [
            "ssh", "-F", "none", "-i", f"{lab}/ssh/id_ed25519", "-o", f"UserKnownHostsFile={lab}/ssh/known_hosts",
            "-o", "StrictHostKeyChecking=yes", f"root@{variables['ansible_host']}",
            "python3 -c " + _quoted(HOST_SCRIPT),
        ]  # fmt: skip
        done = subprocess.run(command, input=b"\n".join(form for _, form in needles), capture_output=True, check=False)
        lines = done.stdout.decode().splitlines()
        if not lines or lines[-1] != "done":
            sys.exit(f"{host} could not be searched: {done.stderr.decode()[-500:]}")
        for line in lines[:-1]:
            number, _, place = line.partition(" ")
            yield f"{needles[int(number)][0]} stands on {host} in {place}"


def _quoted(script: str) -> str:
    return "'" + script.replace("'", "'\"'\"'") + "'"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, default=ROOT / "inventory/lab")
    parser.add_argument("--artifacts", type=Path, default=ROOT / ".lab")
    parser.add_argument("--playbooks", nargs="*", default=["site", "verify"], help="what is run with -vvv")
    chosen = parser.parse_args()
    needles = forms(secrets(chosen.inventory))
    names = {name for name, _ in needles}
    if len(names) < 5:
        sys.exit(f"Only {len(names)} secrets in the vault file: this is no deployment.")
    found: list[str] = []
    for playbook in chosen.playbooks:
        output, commands = verbose_run(chosen.inventory, playbook)
        found += in_bytes(needles, output, f"the output of {playbook}.yml -vvv --diff")
        found += in_bytes(needles, commands, "a command line of this machine")
    artifacts = chosen.artifacts
    places = [*artifacts.glob("*.*"), *(artifacts / "log").rglob("*"), *(artifacts / "run").rglob("*")]
    found += in_files(needles, places)
    found += on_hosts(chosen.inventory, needles)
    print(
        "\n".join(sorted(set(found)))
        or f"None of {len(names)} secrets stands in {len(places)} files, or anywhere else."
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
