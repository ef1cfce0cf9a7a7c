# SPDX-License-Identifier: Apache-2.0
"""Stories of the object store: replicated and erasure-coded data, a host lost and healed, and what users build on."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from .. import flows
from ..description.services import Services
from ..errors import HoldfastError
from ..model import Model
from ..verify import caches
from ..verify.payload import MIB, content, md5, sha256, sign_s3
from ..verify.story import NOISE, PREFIX, Cloud, Scene, Story, expect, require
from .signed_url import temporary_url

OBJECT_SIZE = 8 * MIB
LISTING_SECONDS = 60
"""Within which a listing has heard of what is gone."""
REPLICATED, CODED, MISSED, LINKED = "replicated", "coded", "while-a-host-was-lost", "linked"


def facts(model: Model, services: Services) -> dict[str, Any]:
    """The policy of coded objects, the names of objects, and where the storage servers are and listen."""
    storage = model.group("swift_storage")
    coded = (
        {"name": row["name"], "data": row["ec_data_fragments"], "parity": row["ec_parity_fragments"]}
        for row in model.variables.get("swift_policies") or ()
        if row.get("type") == "erasure_coding" and not row.get("deprecated")
    )
    rows = [row for row in flows.FLOWS if row.servers == "swift_storage"]
    proxy = next(iter(model.group("swift_proxy")), None)
    return {
        "policy": next(coded, None),
        "region": model.variables["holdfast_region"],
        "objects": {"replicated": REPLICATED, "coded": CODED, "missed": MISSED, "linked": LINKED},
        "proxy": proxy and f"http://{flows.bind_address(model, proxy, 'swift_proxy')}:{flows.port('swift_proxy')}",
        "servers": {
            "addresses": [host.addresses[network] for network in ("storage", "repl") for host in storage],
            "asked_on": sorted({port for row in rows if row.network == "storage" for port in row.ports}),
        },
        "hosts": {host.addresses["storage"]: host.name for host in storage},
        "mgmt_addresses": [host.addresses["mgmt"] for host in storage],
        "ports": sorted({port for row in rows for port in row.ports}),
        "cache": f"{model.group('memcached')[0].addresses['mgmt']}:{flows.port('memcached')}",
    }


def ask(cloud: Cloud, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The administrator's account."""
    return {"account": cloud.endpoint("object-store").rpartition("/")[2]}


def _servers_told(scene: Scene, fact: str) -> Mapping[str, Any]:
    return scene.told(fact, "nodes", "The object servers could not be asked")


def _url(cloud: Cloud, container: str, name: str = "") -> str:
    return f"{cloud.endpoint('object-store')}/{container}" + (f"/{quote(name)}" if name else "")


def _make_container(cloud: Cloud, container: str, headers: Mapping[str, str] | None = None) -> None:
    answer = cloud.request("PUT", _url(cloud, container), headers=headers)
    expect(answer, 201, 202, doing=f"Making the container {container}")


def _put(cloud: Cloud, container: str, name: str, data: bytes, headers: Mapping[str, str] | None = None) -> str:
    answer = cloud.request("PUT", _url(cloud, container, name), data, {"ETag": md5(data), **(headers or {})})
    expect(answer, 201, doing=f"PUT of {container}/{name}")
    return answer.headers.get("etag", "").strip('"')


def _get(cloud: Cloud, container: str, name: str, wanted: bytes) -> str:
    """Read an object back and compare. Returns its SHA-256."""
    answer = cloud.request("GET", _url(cloud, container, name))
    expect(answer, 200, doing=f"GET of {container}/{name}")
    require(answer.body == wanted, f"{container}/{name} came back with other content: SHA-256 {sha256(answer.body)}.")
    return sha256(answer.body)


def _data(scene: Scene, name: str, size: int = OBJECT_SIZE) -> bytes:
    return content(f"{scene.run}/{name}", size)


def put(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The store computes the same checksum as is computed here."""
    data = _data(scene, REPLICATED)
    _make_container(cloud, scene.name)
    etag = _put(cloud, scene.name, REPLICATED, data)
    require(etag == md5(data), f"The object store gives the ETag {etag} for content with the MD5 {md5(data)}.")
    return {"bytes": len(data), "sha256": sha256(data), "etag": etag}


def replicated(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Three devices, on as many hosts as there are (three at most), hold the same version of it."""
    return _copies(_servers_told(scene, "replicas"), md5(_data(scene, REPLICATED)))


def _copies(replicas: Mapping[str, Any], etag: str) -> dict[str, Any]:
    primaries = [node for node in replicas["nodes"] if node["primary"]]
    require(len(primaries) > 1, f"The ring has {len(primaries)} place for the object.")
    missing = [_place(node) for node in primaries if node["status"] != 200]
    there = len(primaries) - len(missing)
    require(not missing, f"Not on {', '.join(missing)}: {there} of {len(primaries)} copies are there.")
    wrong = [_place(node) for node in primaries if node["etag"] not in (etag, "")]
    require(not wrong, f"Other content than was sent on {', '.join(wrong)}.")
    require(len({node["timestamp"] for node in primaries}) == 1, "The copies are of different versions.")
    return {"partition": replicas["partition"], "copies": [_place(node) for node in primaries], "etag": etag}


def _place(node: Mapping[str, Any]) -> str:
    return f"{node['ip']}/{node['device']} (zone {node['zone']})"


def get(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Bit for bit what was sent."""
    return {"sha256": _get(cloud, scene.name, REPLICATED, _data(scene, REPLICATED))}


def metadata(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A container and an object take as much metadata as Swift allows, and give it back whole."""
    parts = urlsplit(cloud.endpoint("object-store"))
    url = f"https://{parts.netloc}/info"
    limits = expect(cloud.request("GET", url, token=False), 200, doing="Asking Swift for its limits").json()["swift"]
    count, each = limits["max_meta_count"], limits["max_meta_overall_size"] // limits["max_meta_count"]
    pieces = {f"Limit-{number:04d}": "v" * (each - len("Limit-0000")) for number in range(count)}
    container, evidence = f"{scene.name}-metadata", {}
    for what, place in (("Container", _url(cloud, container)), ("Object", _url(cloud, container, "o"))):
        sent = {f"X-{what}-Meta-{name}": value for name, value in pieces.items()}
        expect(cloud.request("PUT", place, b"", sent), 201, doing=f"Making a {what.lower()} with {count} pieces")
        answer = expect(cloud.request("HEAD", place), 200, 204, doing=f"Reading the metadata of the {what.lower()}")
        found = {name: answer.headers.get(f"x-{what.lower()}-meta-{name.lower()}") for name in pieces}
        require(found == pieces, f"{list(found.values()).count(None)} of {count} pieces of metadata are missing.")
        evidence[what.lower()] = f"{count} pieces, {count * each} bytes"
    return evidence


def static_pages(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A container is read as web pages without a token, and what leads to another page leads there by https."""
    container = f"{scene.name}-pages"
    url, page = _url(cloud, container), f"A page of {scene.name}".encode()
    public = {"X-Container-Read": ".r:*", "X-Container-Meta-Web-Index": "index.html"}
    expect(cloud.request("PUT", url, b"", public), 201, doing="Making a public container")
    for name in ("index.html", "more/index.html"):
        expect(cloud.request("PUT", _url(cloud, container, name), page), 201, doing=f"Writing the page {name}")
    answer = expect(cloud.request("GET", f"{url}/more", token=False), 301, doing="Asking for a page without its slash")
    found, wanted = answer.headers.get("location"), f"{url}/more/"
    require(found == wanted, f"It leads to {found}, and should to {wanted}.")
    answer = expect(cloud.request("GET", wanted, token=False), 200, doing="Asking for the page")
    require(answer.body == page, "It is another page than was written.")
    return {"leads to": found}


def closed_ports(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The storage servers' ports, asked for on br-mgmt, from a host and from the controller."""
    evidence = {}
    asked = scene.fact("asked_ports")
    here = cloud.port_states(*({entry[key] for entry in asked[0]["ports"]} for key in ("address", "port")))
    for place, probes in (*((row["host"], row["ports"]) for row in asked), ("the controller", here)):
        require(probes, f"{place} asked for no port.")
        reached = [f"{probe['address']}:{probe['port']}" for probe in probes if probe["state"] == "open"]
        require(not reached, f"Open on br-mgmt, seen from {place}: {', '.join(reached)}.")
        states = [f"{probe['address']}:{probe['port']} {probe['state']}" for probe in probes]
        evidence[f"from {place}"] = ", ".join(states)
    return evidence


def closed_to_others(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """What the storage hosts' own users reach of all storage servers from one of them, nobody else there does."""
    answers = scene.fact("asked_by")
    for said in answers.values():
        require(said.get("ports"), f"The storage servers could not be asked: {said.get('msg') or 'no answer'}")
    root, others = (
        {f"{probe['address']}:{probe['port']}" for probe in answers[user]["ports"] if probe["state"] == "open"}
        for user in ("root", "nobody")
    )
    require(root, "No storage server answers root, so a closed port tells nothing.")
    require(not others, f"A process of any user reaches {', '.join(sorted(others))}.")
    return {"open to root": len(root), "open to nobody": 0}


def cache(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Who is not the proxies' user writes nothing of what they keep at hand, such as who may read a container."""
    return caches.written_by_nobody_else(scene, "attempts")


def put_coded(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A container of the erasure-coded policy takes an object and gives it back."""
    policy = scene.fact("policy")
    container, data = f"{scene.name}-coded", _data(scene, CODED)
    _make_container(cloud, container, {"X-Storage-Policy": policy["name"]})
    _put(cloud, container, CODED, data)
    return {"policy": policy["name"], "sha256": _get(cloud, container, CODED, data)}


def fragments(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Each device holds one fragment of its own, and each fragment is smaller than the object."""
    found, policy = _servers_told(scene, "fragments"), scene.fact("policy")
    primaries = [node for node in found["nodes"] if node["primary"]]
    wanted = int(policy["data"]) + int(policy["parity"])
    require(len(primaries) == wanted, f"The ring has {len(primaries)} places for {wanted} fragments.")
    missing = [_place(node) for node in primaries if node["status"] != 200]
    require(not missing, f"No fragment on {', '.join(missing)}.")
    indexes = sorted(int(node["fragment"]) for node in primaries)
    require(indexes == list(range(wanted)), f"The fragments are {indexes} instead of 0 to {wanted - 1}.")
    return {
        "fragments": [f"{node['fragment']} on {_place(node)}" for node in primaries],
        "scheme": f"{policy['data']} + {policy['parity']}",
    }


def large(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Static and dynamic large objects of two segments."""
    parts = [_data(scene, f"segment-{number}", MIB) for number in (1, 2)]
    segments = f"{scene.name}-segments"
    _make_container(cloud, segments)
    _make_container(cloud, scene.name)
    manifest = []
    for number, part in enumerate(parts, 1):
        _put(cloud, segments, f"large/{number}", part)
        manifest.append({"path": f"/{segments}/large/{number}", "etag": md5(part), "size_bytes": len(part)})
    answer = cloud.request(
        "PUT", f"{_url(cloud, scene.name, 'static')}?multipart-manifest=put", json.dumps(manifest).encode()
    )
    expect(answer, 201, doing="PUT of a static large object's manifest")
    _put(cloud, scene.name, "dynamic", b"", {"X-Object-Manifest": f"{segments}/large/"})
    whole = b"".join(parts)
    return {
        "static": _get(cloud, scene.name, "static", whole),
        "dynamic": _get(cloud, scene.name, "dynamic", whole),
    }


def temporary(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A link with a signature reads without a token; with another signature it does not."""
    key = scene.fact("key")
    data = _data(scene, LINKED, 1024)
    _make_container(cloud, scene.name, {"X-Container-Meta-Temp-URL-Key": key})
    _put(cloud, scene.name, LINKED, data)
    parts = urlsplit(_url(cloud, scene.name, LINKED))
    link = f"https://{parts.netloc}{temporary_url(parts.path, key, 'GET', int(scene.now) + 300)}"
    answer = expect(cloud.request("GET", link, token=False), 200, doing="GET by a temporary URL")
    require(answer.body == data, "The temporary URL gave other content.")
    forged = link.replace("temp_url_sig=", "temp_url_sig=0")
    expect(cloud.request("GET", forged, token=False), 401, doing="GET by a forged temporary URL")
    return {"signed": "200", "forged": "401"}


def without_credentials(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """Of a request with credentials of every kind the storage servers get the object's name, and none of them."""
    told = scene.told("carried", "statuses", "Nobody could look at what the proxy says to the storage servers")
    refused = {method: status for method, status in told["statuses"].items() if status not in (200, 201)}
    require(not refused, f"The signed requests were refused: {refused}.")
    require(told["named"], f"The object's name was not among the {told['bytes']} bytes: the request was not seen.")
    require(not told["seen"], f"In clear on the storage network: {', '.join(told['seen'])}.")
    return {"looked for": told["sent"], "in bytes": told["bytes"]}


def versions(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A container with versioning keeps what was overwritten."""
    container = f"{scene.name}-versions"
    first, second = (_data(scene, f"version-{number}", 1024) for number in (1, 2))
    _make_container(cloud, container, {"X-Versions-Enabled": "true"})
    for data in (first, second):
        _put(cloud, container, "document", data)
    kept = _listing(cloud, container, "versions&prefix=document")
    require(len(kept) == 2, f"{len(kept)} versions are kept instead of 2.")
    oldest = next(entry for entry in kept if not entry["is_latest"])
    answer = cloud.request("GET", f"{_url(cloud, container, 'document')}?version-id={oldest['version_id']}")
    require(answer.body == first, "The older version came back with other content.")
    _get(cloud, container, "document", second)
    return {"versions": len(kept), "older": sha256(first), "latest": sha256(second)}


def s3(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A bucket and an object by the S3 API, with credentials of the identity service, removed afterwards."""
    user, project = cloud.token_details["user"]["id"], cloud.token_details["project"]["id"]
    credentials = f"{cloud.endpoint('identity')}/users/{user}/credentials/OS-EC2"
    body = json.dumps({"tenant_id": project}).encode()
    answer = cloud.request("POST", credentials, body, {"Content-Type": "application/json"})
    made = expect(answer, 201, doing="Making S3 credentials").json()["credential"]
    data = _data(scene, "by-s3", 4096)
    bucket = f"{scene.name}-s3"
    try:
        for method, path, sent, wanted in (
            ("PUT", f"/{bucket}", b"", 200),
            ("PUT", f"/{bucket}/by-s3", data, 200),
            ("GET", f"/{bucket}/by-s3", b"", 200),
        ):
            answer = _s3(cloud, scene, method, path, sent, made["access"], made["secret"])
            expect(answer, wanted, doing=f"{method} of {path} by the S3 API")
        require(answer.body == data, "The S3 API gave other content.")
        forged = _s3(cloud, scene, "GET", f"/{bucket}/by-s3", b"", made["access"], "not-the-key")
        expect(forged, 403, doing="GET by the S3 API with a wrong key")
    finally:
        cloud.request("DELETE", f"{credentials}/{made['access']}")
    return {"sha256": _get(cloud, bucket, "by-s3", data), "wrong key": "403"}


def _s3(cloud: Cloud, scene: Scene, method: str, path: str, body: bytes, access: str, secret: str) -> Any:
    host = urlsplit(cloud.endpoint("object-store")).netloc
    headers = sign_s3(
        method=method,
        host=host,
        path=path,
        body=body,
        access=access,
        secret=secret,
        region=str(scene.facts.get("region") or "RegionOne"),
        when=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(scene.now)),
    )
    return cloud.request(method, f"https://{host}{path}", body or None, headers, token=False)


def get_without_a_host(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """What was written before is whole without the host's copies and fragments."""
    lost = scene.fact("lost")
    evidence = {"without": lost, "replicated": _get(cloud, scene.name, REPLICATED, _data(scene, REPLICATED))}
    if scene.facts.get("policy"):
        evidence["erasure-coded"] = _get(cloud, f"{scene.name}-coded", CODED, _data(scene, CODED))
    return evidence


def put_without_a_host(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """A write is acknowledged and can be read at once; another device keeps the missing host's copy."""
    data = _data(scene, MISSED)
    _put(cloud, scene.name, MISSED, data)
    return {"without": scene.fact("lost"), "sha256": _get(cloud, scene.name, MISSED, data)}


def healed(cloud: Cloud, scene: Scene) -> dict[str, Any]:
    """The host that was away has its copy. Nothing is read through the API here: that would be data on br-storage."""
    evidence = _copies(_servers_told(scene, "healed"), md5(_data(scene, MISSED)))
    return {"returned": scene.fact("lost"), **evidence}


def _listing(cloud: Cloud, container: str, query: str) -> Any:
    answer = cloud.request("GET", f"{_url(cloud, container)}?format=json&{query}")
    return expect(answer, 200, 204, 404, doing=f"Listing {container}").json() if answer.status == 200 else []


def sweep(cloud: Cloud) -> int:
    """Remove every container of verifications, also of those that were killed. Returns how many there were."""
    answer = cloud.request("GET", f"{cloud.endpoint('object-store')}?format=json&prefix={PREFIX}")
    containers = [entry["name"] for entry in answer.json()] if answer.status == 200 else []
    for container in containers:
        _remove(cloud, container)
    return len(containers)


def _remove(cloud: Cloud, container: str) -> None:
    """A busy container server hears of what is gone late: it refuses meanwhile, and is told by each further DELETE."""
    deadline = time.monotonic() + LISTING_SECONDS
    while True:
        for entry in _listing(cloud, container, "versions") or _listing(cloud, container, "limit=10000"):
            version = entry.get("version_id")
            suffix = f"?version-id={version}" if version and version != "null" else ""
            cloud.request("DELETE", _url(cloud, container, entry["name"]) + suffix)
        status = cloud.request("DELETE", _url(cloud, container)).status
        if status in (204, 404):
            return
        if status != 409 or time.monotonic() > deadline:
            raise HoldfastError(f"The container {container} could not be removed: status {status}.")
        time.sleep(1)


STORIES = (
    Story(
        "object.put",
        "An object is written through the API",
        put,
        least={"mgmt": OBJECT_SIZE, "storage": 3 * OBJECT_SIZE},
        most={"repl": NOISE},
    ),
    Story("object.replicated", "It is on three devices", replicated, most={"storage": NOISE, "repl": NOISE}),
    Story(
        "object.get",
        "It is read back",
        get,
        least={"mgmt": OBJECT_SIZE, "storage": OBJECT_SIZE},
        most={"repl": NOISE},
    ),
    Story("object.closed_ports", "Storage ports are closed on br-mgmt", closed_ports, most={"repl": NOISE}),
    Story("object.closed_to_others", "Storage servers are asked by Swift alone", closed_to_others),
    Story("object.cache", "Nobody else writes what the proxies keep at hand", cache),
    Story(
        "object.put_coded",
        "An object is written and read in the erasure-coded policy",
        put_coded,
        least={"mgmt": 2 * OBJECT_SIZE, "storage": 2 * OBJECT_SIZE},
        most={"repl": NOISE},
    ),
    Story(
        "object.fragments", "Its fragments are on as many devices", fragments, most={"storage": NOISE, "repl": NOISE}
    ),
    Story("object.metadata", "As much metadata as Swift allows is given back", metadata),
    Story("object.static_pages", "A container is read as web pages", static_pages),
    Story("object.large", "Large objects of segments, static and dynamic", large, least={"storage": 2 * MIB}),
    Story("object.temporary_url", "A signed link reads without a token", temporary),
    Story("object.without_credentials", "No token and no signature crosses the storage network", without_credentials),
    Story("object.versions", "An overwritten object is kept", versions),
    Story("object.s3", "The S3 API writes and reads", s3),
    Story(
        "object.get_without_a_host",
        "It is read back while a storage host is cut off",
        get_without_a_host,
        least={"mgmt": OBJECT_SIZE, "storage": OBJECT_SIZE},
    ),
    Story(
        "object.put_without_a_host",
        "An object is written while a storage host is cut off",
        put_without_a_host,
        least={"mgmt": OBJECT_SIZE, "storage": 3 * OBJECT_SIZE},
    ),
    Story(
        "object.healed",
        "The host that returned gets its copy, over br-repl",
        healed,
        least={"repl": OBJECT_SIZE},
        most={"storage": 2 * NOISE, "mgmt": NOISE},
        waits=True,
    ),
)
