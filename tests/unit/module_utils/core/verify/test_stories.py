# SPDX-License-Identifier: Apache-2.0
"""The stories against an object store and an image service of a few lines: they pass there, and each lie is noticed."""

import itertools
import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.glance import stories as image
from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone import stories as identity
from ansible_collections.holdfast.storage.plugins.module_utils.core.swift import stories as object_store
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import payload
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import story as stories
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Answer, Scene

SWIFT = "https://api:8080/v1/AUTH_p"
GLANCE = "https://api:9292"
CATALOG = [
    {"type": "identity", "endpoints": [{"interface": "public", "url": "https://api:5000"}]},
    {"type": "object-store", "endpoints": [{"interface": "public", "url": SWIFT}]},
    {"type": "image", "endpoints": [{"interface": "public", "url": GLANCE}]},
]


class Cloud:
    """Objects and images in memory. ``lie`` changes an answer before the story sees it."""

    def __init__(self, lie=None):
        self.lie = lie or (lambda method, url, answer: answer)
        self.containers, self.images, self.kept, self.most = {}, {}, {}, None
        self.limits = {"max_meta_count": 90, "max_meta_overall_size": 4096}
        self.token_details = {
            "catalog": json.loads(json.dumps(CATALOG)),
            "user": {"name": "admin", "id": "u"},
            "project": {"name": "admin", "id": "p"},
            "roles": [{"name": "admin"}],
            "expires_at": "2030-01-01T00:00:00Z",
        }

    def endpoint(self, service):
        return {"identity": "https://api:5000/v3", "object-store": SWIFT, "image": GLANCE}[service]

    def authenticate(self, user, password):
        return self.lie("POST", "auth", Answer(401, {}, b""))

    def port_states(self, addresses, ports):
        return [{"address": address, "port": port, "state": "filtered"} for address in addresses for port in ports]

    def plain(self, url):
        return ""

    def request(self, method, url, body=None, headers=None, *, token=True):
        parts = urlsplit(url)
        service = self.swift if parts.port == 8080 else self.glance if parts.port == 9292 else None
        answer = service(method, parts, body, headers or {}) if service else Answer(200, {}, b"{}")
        return self.lie(method, url, answer)

    def swift(self, method, parts, body, headers):
        if parts.path == "/info":
            return Answer(200, {}, json.dumps({"swift": self.limits}).encode())
        if method == "PUT" and "metadata" in parts.path:
            self.kept[parts.path] = {name.lower(): value for name, value in headers.items()}
        if method == "HEAD":
            return Answer(204, dict(list(self.kept[parts.path].items())[: self.most]), b"")
        names = unquote(parts.path).removeprefix("/v1/AUTH_p").strip("/").split("/", 1)
        query = parse_qs(parts.query, keep_blank_values=True)
        if names == [""] or not names[0]:
            listed = [{"name": name} for name in self.containers if name.startswith(query.get("prefix", [""])[0])]
            return Answer(200, {}, json.dumps(listed).encode())
        container, name = names[0], names[1] if len(names) > 1 else ""
        if method == "PUT" and not name:
            self.containers.setdefault(container, {})
            return Answer(201, {}, b"")
        if container not in self.containers:
            return Answer(404, {}, b"")
        objects = self.containers[container]
        if method == "DELETE":
            if name:
                objects.pop(name, None)
            else:
                del self.containers[container]
            return Answer(204, {}, b"")
        if method == "PUT":
            objects[name] = body or b""
            return Answer(201, {"etag": f'"{payload.md5(body or b"")}"'}, b"")
        if not name:
            return Answer(200, {}, json.dumps([{"name": key} for key in objects]).encode())
        return Answer(200, {}, objects[name]) if name in objects else Answer(404, {}, b"")

    def glance(self, method, parts, body, headers):
        path = parts.path.removeprefix("/v2/images").strip("/")
        if parts.path == "/v2/cache":
            return Answer(200, {}, json.dumps({"cached_images": [{"image_id": "1", "hits": 1}]}).encode())
        if method == "POST":
            number = str(len(self.images) + 1)
            self.images[number] = {**json.loads(body), "id": number, "status": "queued"}
            return Answer(201, {}, json.dumps(self.images[number]).encode())
        if not path:
            wanted, tag = (parse_qs(parts.query).get(key, [None])[0] for key in ("name", "tag"))
            rows = [row for row in self.images.values() if tag is None or tag in row.get("tags", ())]
            found = [shown(row) for row in rows if wanted in (None, row["name"])]
            return Answer(200, {}, json.dumps({"images": found}).encode())
        number, _, rest = path.partition("/")
        row = self.images[number]
        if method == "DELETE":
            del self.images[number]
            return Answer(204, {}, b"")
        if rest == "file" and method == "PUT":
            if "refused" in row["name"]:
                return Answer(415, {}, b"")
            # An API server of uWSGI takes no larger chunk unless it is told to.
            row["large"] = not isinstance(body, bytes) and any(len(chunk) > payload.MIB for chunk in body)
            body = body if isinstance(body, bytes) else b"".join(body)
            digest = payload.md5(body)
            row |= {"data": body, "size": len(body), "checksum": digest, "status": "active"}
            row |= {"os_hash_algo": "sha512", "os_hash_value": "0" * 128}
            return Answer(204, {}, b"")
        return Answer(200, {}, row["data"]) if rest == "file" else Answer(200, {}, json.dumps(shown(row)).encode())


def shown(row):
    return {key: value for key, value in row.items() if key != "data"}


def node(number, etag="", **other):
    fields = {"ip": f"10.0.0.{number}", "device": "d1", "zone": number, "primary": True, "status": 200, "bytes": 1}
    return {**fields, "etag": etag, "timestamp": "1.0", "fragment": None, **other}


def data(name, size=object_store.OBJECT_SIZE):
    return payload.content(f"r/{name}", size)


SCENE = Scene(run="r", now=1.0)


def test_an_object_is_put_and_got():
    cloud = Cloud()
    evidence = object_store.put(cloud, SCENE)
    assert evidence["sha256"] == object_store.get(cloud, SCENE)["sha256"]


def test_content_that_changed_is_noticed():
    cloud = Cloud()
    object_store.put(cloud, SCENE)
    cloud.containers[SCENE.name][object_store.REPLICATED] = b"rot"
    with pytest.raises(HoldfastError, match="other content"):
        object_store.get(cloud, SCENE)


def test_an_error_of_the_server_is_told_with_what_it_said():
    cloud = Cloud(lambda method, url, answer: Answer(503, {}, b"no quorum") if method == "PUT" else answer)
    with pytest.raises(HoldfastError, match="status 503 instead of 201 or 202"):
        object_store.put(cloud, SCENE)


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        ([], "could not be asked"),
        ([node(1, "E"), node(2, "E"), node(3, "E", status=404)], r"Not on 10.0.0.3/d1 \(zone 3\): 2 of 3"),
        ([node(1, "E"), node(2, "E"), node(3, "other")], "Other content than was sent on 10.0.0.3"),
        ([node(1, "E"), node(2, "E"), node(3, "E", timestamp="2.0")], "different versions"),
    ],
)
def test_missing_and_wrong_copies_are_noticed(nodes, problem):
    etag = payload.md5(data(object_store.REPLICATED))
    for entry in nodes:
        entry["etag"] = etag if entry["etag"] == "E" else entry["etag"]
    facts = {"replicas": {"nodes": nodes, "partition": 7, "msg": "no rings"}}
    with pytest.raises(HoldfastError, match=problem):
        object_store.replicated(Cloud(), Scene(run="r", facts=facts))


def test_three_equal_copies_are_the_evidence_and_handoffs_do_not_count():
    etag = payload.md5(data(object_store.REPLICATED))
    nodes = [*(node(number, etag) for number in (1, 2, 3)), node(4, status=404, primary=False)]
    evidence = object_store.replicated(Cloud(), Scene(run="r", facts={"replicas": {"nodes": nodes, "partition": 7}}))
    assert len(evidence["copies"]) == 3


def test_every_fragment_has_to_be_another_one():
    policy = {"name": "ec", "data": 2, "parity": 1}
    nodes = [node(number, fragment=str(number - 1)) for number in (1, 2, 3)]
    scene = Scene(run="r", facts={"policy": policy, "fragments": {"nodes": nodes}})
    assert len(object_store.fragments(Cloud(), scene)["fragments"]) == 3
    nodes[2]["fragment"] = "0"
    with pytest.raises(HoldfastError, match="instead of 0 to 2"):
        object_store.fragments(Cloud(), scene)


def test_an_open_storage_port_on_mgmt_is_noticed():
    probes = [{"address": "172.29.236.21", "port": port, "state": "filtered"} for port in (6200, 873)]
    facts = {"asked_ports": [{"host": "control1", "ports": probes}]}
    evidence = object_store.closed_ports(Cloud(), Scene(run="r", facts=facts))
    assert "6200 filtered" in evidence["from control1"]
    assert "873 filtered" in evidence["from the controller"]
    probes[1]["state"] = "open"
    with pytest.raises(HoldfastError, match=r"seen from control1: 172.29.236.21:873"):
        object_store.closed_ports(Cloud(), Scene(run="r", facts=facts))


def asked_by(**states):
    probe = {"address": "172.29.244.21", "port": 6200}
    return {"asked_by": {user: {"ports": [{**probe, "state": state}]} for user, state in states.items()}}


def test_a_storage_server_that_any_process_reaches_is_noticed():
    facts = asked_by(root="open", nobody="filtered")
    assert object_store.closed_to_others(Cloud(), Scene(run="r", facts=facts))["open to root"] == 1
    for facts, problem in (
        (asked_by(root="open", nobody="open"), "any user reaches 172.29.244.21:6200"),
        (asked_by(root="refused", nobody="filtered"), "No storage server answers root"),
        ({"asked_by": {"root": {"msg": "no such user"}, "nobody": {}}}, "could not be asked: no such user"),
    ):
        with pytest.raises(HoldfastError, match=problem):
            object_store.closed_to_others(Cloud(), Scene(run="r", facts=facts))


CARRIED = {"statuses": {"PUT": 201, "GET": 200}, "named": True, "seen": [], "sent": ["Cookie"], "bytes": 900}


def test_credentials_on_the_storage_network_are_noticed():
    scene = Scene(run="r", facts={"carried": CARRIED})
    assert object_store.without_credentials(Cloud(), scene) == {"looked for": ["Cookie"], "in bytes": 900}
    for lie, problem in (
        ({"seen": ["X-Auth-Token"]}, "In clear on the storage network: X-Auth-Token"),
        ({"named": False}, "the request was not seen"),
        ({"statuses": {"PUT": 401}}, "were refused"),
        ({"statuses": None, "msg": "no key"}, "Nobody could look .*: no key"),
    ):
        with pytest.raises(HoldfastError, match=problem):
            object_store.without_credentials(Cloud(), Scene(run="r", facts={"carried": {**CARRIED, **lie}}))


def test_a_sweep_removes_what_verifications_left_and_nothing_else():
    cloud = Cloud()
    cloud.containers = {"photos": {"a": b""}, f"{stories.PREFIX}old": {"x": b"", "y": b""}}
    cloud.images = {
        "1": {"id": "1", "name": "debian"},
        "2": {"id": "2", "name": f"{stories.PREFIX}old", "tags": [stories.TAG]},
    }
    assert (object_store.sweep(cloud), image.sweep(cloud)) == (1, 1)
    assert list(cloud.containers) == ["photos"]
    assert list(cloud.images) == ["1"]


@pytest.mark.parametrize(("refusals", "problem"), [([409, 409], ""), ([409] * 99, "status 409"), ([503], "status 503")])
def test_a_listing_that_is_late_is_told_again(monkeypatch, refusals, problem):
    ticks = itertools.count()
    monkeypatch.setattr(object_store.time, "monotonic", lambda: next(ticks))
    monkeypatch.setattr(object_store.time, "sleep", lambda _: None)
    left, deleted = iter(refusals), []
    listing = json.dumps([{"name": "x", "bytes": 1}]).encode()

    def lie(method, url, answer):
        if method == "DELETE":
            deleted.append(url)
        if not url.endswith("/x") and method == "DELETE":
            status = next(left, 204)
            return Answer(status, {}, b"")
        return Answer(200, {}, listing) if f"{stories.PREFIX}old?" in url else answer

    cloud = Cloud(lie)
    cloud.containers = {f"{stories.PREFIX}old": {"x": b""}}
    if problem:
        with pytest.raises(HoldfastError, match=problem):
            object_store.sweep(cloud)
    else:
        assert object_store.sweep(cloud) == 1
        assert [url.endswith("/x") for url in deleted] == [True, False] * 3


def test_an_image_of_unknown_length_is_sent_in_large_chunks_and_comes_back():
    cloud = Cloud()
    assert image.in_chunks(cloud, SCENE)["chunks"] == 3
    assert cloud.images["1"]["large"]


def test_an_image_of_unknown_length_that_comes_back_otherwise_is_noticed():
    cloud = Cloud(
        lambda method, url, answer: Answer(200, {}, b"") if url.endswith("/file") and method == "GET" else answer
    )
    with pytest.raises(HoldfastError, match="other content"):
        image.in_chunks(cloud, SCENE)


def test_an_image_is_uploaded_stored_fetched_and_fetched_again():
    cloud = Cloud()
    uploaded = image.upload(cloud, SCENE)
    found = cloud.images["1"]
    listing = {"bytes": found["size"], "hash": found["checksum"]}
    told = {"container": "glance", "listing": listing, "nodes": [node(1), node(2), node(3)]}
    assert image.stored(cloud, Scene(run="r", facts={"image_object": told}))["object"] == "glance/1"
    assert image.fetched(cloud, SCENE)["sha256"] == uploaded["sha256"]
    assert image.fetched_again(cloud, SCENE)["hits in the cache"] == 1
    assert image.hidden_location(cloud, SCENE)
    listing["bytes"] += 1
    with pytest.raises(HoldfastError, match="The object has"):
        image.stored(cloud, Scene(run="r", facts={"image_object": told}))


def test_an_accepted_backing_file_is_noticed():
    cloud = Cloud()
    assert len(image.refused(cloud, SCENE)) == 3
    careless = Cloud(lambda method, url, answer: Answer(204, {}, b"") if answer.status == 415 else answer)
    with pytest.raises(HoldfastError, match="backing file was accepted"):
        image.refused(careless, SCENE)


def test_a_shown_location_is_noticed():
    cloud = Cloud()
    image.upload(cloud, SCENE)
    cloud.images["1"]["direct_url"] = "swift+config://x"
    with pytest.raises(HoldfastError, match="direct_url"):
        image.hidden_location(cloud, SCENE)


def test_endpoints_have_to_be_https_and_there():
    cloud = Cloud()
    services = {"services": ["identity", "object-store", "image"]}
    assert set(identity.catalog(cloud, Scene(run="r", facts=services))) == set(services["services"])
    cloud.token_details["catalog"][2]["endpoints"][0]["url"] = "http://api:9292"
    with pytest.raises(HoldfastError, match="public endpoint of image is not https"):
        identity.catalog(cloud, SCENE)
    del cloud.token_details["catalog"][2]
    with pytest.raises(HoldfastError, match="lacks image"):
        identity.catalog(cloud, Scene(run="r", facts=services))


def test_metadata_that_is_not_given_back_is_noticed():
    cloud = Cloud()
    found = object_store.metadata(cloud, SCENE)
    assert found == {"container": "90 pieces, 4050 bytes", "object": "90 pieces, 4050 bytes"}
    for sent in cloud.kept.values():
        pieces = {name.rpartition("-meta-")[2]: value for name, value in sent.items() if "-meta-" in name}
        assert len(pieces) == 90
        assert sum(map(len, (*pieces, *pieces.values()))) == 4050
    cloud.most = 88
    with pytest.raises(HoldfastError, match="2 of 90 pieces of metadata are missing"):
        object_store.metadata(cloud, SCENE)
    bad = Cloud(lambda method, url, answer: Answer(502, {}, b"") if method == "HEAD" else answer)
    with pytest.raises(HoldfastError, match="status 502"):
        object_store.metadata(bad, SCENE)


def test_a_wrong_password_that_is_accepted_is_noticed():
    assert identity.wrong_password(Cloud(), SCENE)
    with pytest.raises(HoldfastError, match="status 201 instead of 401"):
        identity.wrong_password(Cloud(lambda method, url, answer: Answer(201, {}, b"")), SCENE)


def test_an_answer_without_tls_is_noticed():
    cloud = Cloud()
    assert identity.plain_http(cloud, SCENE)["image api:9292"] == "connection closed"
    cloud.plain = lambda url: "HTTP/1.1 301 Moved"
    with pytest.raises(HoldfastError, match="answers without TLS"):
        identity.plain_http(cloud, SCENE)


def test_too_few_bytes_are_wrong_always_and_too_many_only_when_alone():
    story = stories.Story("object.x", "X", object_store.get, least={"storage": 100}, most={"repl": 10})
    assert stories.judge(story, {"storage": 100, "repl": 10}, seconds=0, alone=True) == []
    assert len(stories.judge(story, {"storage": 99, "repl": 11}, seconds=0, alone=True)) == 2
    assert stories.judge(story, {"storage": 100, "repl": 11}, seconds=0, alone=False) == []


def test_housekeeping_goes_on_while_a_story_is_told():
    story = stories.Story("object.x", "X", object_store.get, most={"repl": 10})
    assert stories.judge(story, {"repl": 10 + stories.HOUSEKEEPING * 3}, seconds=3, alone=True) == []
    assert stories.judge(story, {"repl": 11 + stories.HOUSEKEEPING * 3}, seconds=3, alone=True)


def test_an_image_leaves_its_bytes_where_its_store_is():
    bounds = {
        store: {story.id: story for story in image.stories({"store": store})}["image.upload"]
        for store in ("swift", "rbd", "nfs", "file")
    }
    size = image.IMAGE_SIZE
    assert stories.judge(bounds["swift"], {"mgmt": size, "storage": 3 * size}, seconds=0, alone=True) == []
    assert len(stories.judge(bounds["swift"], {"mgmt": size, "repl": 2 * size}, seconds=0, alone=True)) == 2
    assert stories.judge(bounds["rbd"], {"mgmt": size, "storage": size, "repl": 2 * size}, seconds=0, alone=True) == []
    assert stories.judge(bounds["rbd"], {"mgmt": size, "storage": 3 * size}, seconds=0, alone=True)
    assert stories.judge(bounds["nfs"], {"mgmt": size, "storage": size}, seconds=0, alone=True) == []
    assert stories.judge(bounds["nfs"], {"mgmt": size}, seconds=0, alone=True)
    assert stories.judge(bounds["file"], {"mgmt": size}, seconds=0, alone=True) == []
