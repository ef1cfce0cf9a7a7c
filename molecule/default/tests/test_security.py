# SPDX-License-Identifier: Apache-2.0
"""What a secure deployment shows, asked of the kernel and the daemons."""

from __future__ import annotations

import os
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
VIP = "172.29.236.10"


def on(host: Any, *names: str) -> bool:
    return str(host.check_output("hostname")).startswith(names)


@pytest.mark.parametrize("service", ["keystone", "placement", "glance", "swift"])
def test_configuration_is_roots_and_the_services(host: Any, service: str) -> None:
    directory = host.file(f"/etc/{service}")
    if not directory.exists:
        return
    assert (directory.user, directory.group, oct(directory.mode)) == ("root", service, "0o750")
    keys = "-not -path '*/fernet-keys/*' -not -path '*/credential-keys/*'"
    found = host.check_output(f"find /etc/{service} -type f \\( -perm /0027 -o -not -user root \\) {keys}")
    assert found == ""


def test_storage_ports_answer_on_their_own_network_only(host: Any) -> None:
    if not on(host, "storage"):
        return
    own = [line.split()[3].rpartition(":") for line in host.check_output("ss -Hltn").splitlines()]
    networks = {"172.29.244.": (6200, 6201, 6202), "172.29.248.": (6210, 6211, 6212, 873)}
    for network, ports in networks.items():
        for port in ports:
            places = {address for address, _, number in own if number == str(port)}
            assert places
            assert all(place.startswith(network) for place in places), places


def test_rsync_takes_copies_and_gives_none(host: Any) -> None:
    if not on(host, "storage"):
        return
    line = next(line for line in host.check_output("ss -Hltn sport = :873").splitlines())
    where = f"rsync://{line.split()[3]}"
    read = host.run(f"rsync {where}/object_swift1/swift1/objects/ /tmp/")
    assert "module is write only" in read.stderr
    beside = host.run(f"rsync --recursive /etc/swift {where}/object_swift1/swift1/accounts/")
    assert beside.rc != 0
    assert "excluded destination" in beside.stderr


def test_the_ssh_server_takes_keys_only(host: Any) -> None:
    options = host.check_output("sshd -T").splitlines()
    assert {"passwordauthentication no", "permitrootlogin without-password", "x11forwarding no"} <= set(options)


def test_units_are_kept_from_what_they_do_not_need(host: Any) -> None:
    found = host.check_output("ls -d /etc/systemd/system/*.service.d/holdfast-hardening.conf").splitlines()
    units = [path.split("/")[-2].removesuffix(".d") for path in found]
    assert units
    for unit in units:
        assert host.run(f"systemd-analyze security --no-pager --threshold=50 {unit}").rc == 0, unit


def test_the_bridges_drop_what_is_no_flow(host: Any) -> None:
    rules = host.check_output("nft list table inet holdfast")
    for bridge in ("mgmt", "storage", "repl") if on(host, "storage") else ("mgmt", "storage"):
        assert f"dropped_{bridge}" in rules


@pytest.mark.parametrize(
    ("port", "path"), [(5000, "healthcheck"), (8080, "healthcheck"), (8778, ""), (9292, "healthcheck")]
)
def test_apis_speak_tls_only(port: int, path: str) -> None:
    trusting = ssl.create_default_context(cafile=ROOT / ".lab" / "ca.pem")
    with urllib.request.urlopen(f"https://{VIP}:{port}/{path}", timeout=9, context=trusting) as answer:
        assert answer.status == 200
    with (
        socket.create_connection((VIP, port), timeout=5) as connection,
        ssl.create_default_context().wrap_socket(
            connection, server_hostname=VIP, do_handshake_on_connect=False
        ) as stranger,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        stranger.do_handshake()
    with socket.create_connection((VIP, port), timeout=5) as plain:
        plain.sendall(f"GET / HTTP/1.1\r\nHost: {VIP}\r\n\r\n".encode())
        assert not plain.recv(100).startswith(b"HTTP/1.1 2")


def test_foundations_are_closed(host: Any) -> None:
    if not on(host, "control"):
        return
    assert host.check_output("ss -Hlun sport = :11211") == ""
    assert "guest" not in host.check_output("rabbitmqctl --quiet list_users")
    queues = host.check_output("rabbitmqctl --quiet list_vhosts name default_queue_type")
    assert {line.split()[-1] for line in queues.splitlines()[1:]} == {"quorum"}
    assert host.check_output("mariadb -Ne \"select count(*) from mysql.global_priv where user=''\"") == "0"
    assert host.check_output('mariadb -Ne "select @@require_secure_transport"') == "1"


def test_keystone_refuses_what_is_too_large() -> None:
    trusting = ssl.create_default_context(cafile=ROOT / ".lab" / "ca.pem")
    large = urllib.request.Request(f"https://{VIP}:5000/v3/auth/tokens", data=b"x" * 200_000)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(large, timeout=9, context=trusting)
    with refused.value as answer:
        assert answer.code == 413
