# SPDX-License-Identifier: Apache-2.0
"""The configuration of the load balancer: what it keeps, what it lets through, and what it forgets."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases


def written(name: str = "lab", **variables: Any) -> dict[str, str]:
    """The files of the load balancer's host, by path."""
    content = cases.good(name)
    content["vars"].update(variables)
    services = cases.deployed(content)
    host = services.model.group("haproxy")[0]
    return {
        entry["path"]: entry["content"]
        for component in services.components(host)
        if component["service"] == "haproxy"
        for entry in component["files"]
    }


def sections(**variables: Any) -> dict[str, list[str]]:
    """Lines of haproxy.cfg, by the words that begin their section."""
    found: dict[str, list[str]] = {}
    for line in written(**variables)["/etc/haproxy/haproxy.cfg"].splitlines():
        if re.match(r"\w", line):
            found[line] = own = []
        elif line.strip():
            own.append(line.strip())
    return found


def number(lines: list[str], option: str) -> int:
    return next(int(line.split()[1]) for line in lines if line.startswith(option))


def test_small_bodies_are_whole_before_a_server_sees_them() -> None:
    found = sections()
    assert "http-request wait-for-body time 15s" in found["frontend keystone"]
    assert "http-request deny deny_status 413 if { req.body_size gt 114688 }" in found["frontend keystone"]
    assert not [line for line in found["frontend keystone"] if "streams" in line]


def test_data_of_images_goes_on_as_it_comes_and_nothing_else_of_that_api() -> None:
    lines = sections()["frontend glance_api"]
    assert "http-request wait-for-body time 15s if !streams" in lines
    (pattern,) = (line.partition("'")[2].rstrip("'") for line in lines if line.startswith("acl streams"))
    for asked in ("PUT /v2/images/5c9e/file", "PUT /v2/images/5c9e/stage"):
        assert re.search(pattern, asked), asked
    for asked in (
        "POST /v2/images",
        "PATCH /v2/images/5c9e",
        "PUT /v2/images/5c9e/tags/file",
        "POST /v2/images/5c9e/file",
        "PUT /v2/metadefs/namespaces/file",
        "PUT /v2/images/5c9e/file/x",
    ):
        assert not re.search(pattern, asked), asked


def test_objects_go_on_as_they_come() -> None:
    assert not [line for line in sections()["frontend swift_proxy"] if "body" in line]


def test_a_request_fits_whole_with_its_headers() -> None:
    usual = sections()["global"]
    assert number(usual, "tune.bufsize") >= 61440 + 114688 + number(usual, "tune.maxrewrite")
    larger = sections(haproxy_maximum_body_bytes=1048576)
    assert number(larger["global"], "tune.bufsize") >= 61440 + 1048576 + number(usual, "tune.maxrewrite")
    assert "http-request deny deny_status 413 if { req.body_size gt 1048576 }" in larger["frontend keystone"]


@pytest.mark.parametrize(
    ("constraints", "count", "size"),
    [
        # 90 pieces of metadata, 36 headers that Swift counts beside them, and what the load balancer adds.
        ({}, 90 + 36 + 4, 4096 + 8192),
        ({"max_meta_count": 300}, 300 + 36 + 4, 4096 + 8192),
        ({"max_meta_count": "300", "extra_header_count": 50}, 300 + 36 + 50 + 4, 4096 + 8192),
        ({"max_meta_overall_size": 500000}, 90 + 36 + 4, 500000 + 8192),
        ({"max_header_size": 65536}, 90 + 36 + 4, 4096 + 5 * 65536),
    ],
)
def test_the_largest_answer_of_swift_fits(constraints: dict[str, Any], count: int, size: int) -> None:
    lines = sections(swift_conf_overrides={"swift.conf": {"swift-constraints": constraints}})["global"]
    assert number(lines, "tune.http.maxhdr") >= count
    assert number(lines, "tune.bufsize") >= size + number(lines, "tune.maxrewrite")


def test_a_client_has_no_more_connections_than_its_share_and_hosts_have() -> None:
    found = sections(haproxy_source_connections=77)
    fronts = [name for name in found if name.startswith("frontend ")]
    assert len(fronts) >= 3
    for name in fronts:
        assert "tcp-request connection reject if { sc0_conn_cur(sources) gt 77 } !ours" in found[name]
    assert "stick-table type ipv6 size 100k expire 60s store conn_cur" in found["backend sources"]
    hosts = written()["/etc/haproxy/holdfast-hosts.lst"].split()
    assert sorted(hosts) == ["172.29.236.11", "172.29.236.21", "172.29.236.22", "172.29.236.23"]


@pytest.mark.parametrize(("name", "host"), [("", "172.29.236.10"), ("cloud.example.org", "cloud.example.org")])
def test_servers_know_one_name(name: str, host: str) -> None:
    found = sections(haproxy_name=name)
    for front, port in (("keystone", 5000), ("glance_api", 9292)):
        lines = found[f"frontend {front}"]
        assert f"http-request set-header Host {host}:{port}" in lines
        assert lines.index("http-request del-header X-Forwarded- -m beg") < lines.index(
            "http-request set-header X-Forwarded-Proto https"
        )
        assert "http-request del-header Forwarded" in lines
    # A client of S3 signs it.
    assert f"http-request set-header Host {host}:8080 if !signed" in found["frontend swift_proxy"]
