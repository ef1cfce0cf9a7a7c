# SPDX-License-Identifier: Apache-2.0
"""A lab's cloud by openstacksdk: what is sent, and what becomes of refusals."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.host.lab_cloud import LabCloud

# The libraries of openstacksdk warn of one another when they are imported.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Images:
    """An image service: answers by method and path."""

    def __init__(self, answers: dict[tuple[str, str], tuple[int, Any]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, method: str) -> Any:
        def ask(path: str, **options: Any) -> requests.Response:
            self.asked.append((method, path, options))
            status, body = self.answers.get((method, path), (204, None))
            answer = requests.Response()
            answer.status_code = status
            answer.url = f"https://cloud{path}"
            answer._content = b"" if body is None else __import__("json").dumps(body).encode()
            answer.headers["Content-Type"] = "application/json"
            return answer

        return ask


def cloud(**answers: Any) -> tuple[LabCloud, Images]:
    images = Images({(name.split("_", 1)[0], path): answer for name, (path, answer) in answers.items()})
    made = LabCloud()
    made.use("/c.yaml", "lab")
    made._connected = SimpleNamespace(image=images)
    return made, images


def test_an_image_is_registered_sent_whole_and_looked_at_again(tmp_path: Path) -> None:
    file = tmp_path / "tiny.raw"
    file.write_bytes(b"content")
    made, images = cloud(post_1=("/images", (201, {"id": "i1"})), get_1=("/images/i1", (200, {"id": "i1", "size": 7})))
    assert made.upload({"name": "tiny"}, str(file), "ceph") == {"id": "i1", "size": 7}
    _, path, options = images.asked[1]
    assert (path, options["data"]) == ("/images/i1/file", b"content")
    assert options["headers"]["X-Image-Meta-Store"] == "ceph"


def test_the_default_store_is_not_named(tmp_path: Path) -> None:
    made, images = cloud(post_1=("/images", (201, {"id": "i1"})), get_1=("/images/i1", (200, {})))
    (tmp_path / "f").write_bytes(b"x")
    made.upload({}, str(tmp_path / "f"), "")
    assert "X-Image-Meta-Store" not in images.asked[1][2]["headers"]


def test_an_image_that_something_is_made_of_is_hidden() -> None:
    made, images = cloud(delete_1=("/images/i1", (409, {})), get_1=("/images/i1", (200, {"id": "i1"})))
    made.delete_image("i1")
    assert images.asked[-1][0] == "patch"


def test_an_image_that_is_gone_is_gone() -> None:
    made, images = cloud(get_1=("/images/i1", (404, {})))
    made.delete_image("i1")
    assert [method for method, *_ in images.asked] == ["delete", "get"]


def test_a_refusal_is_told() -> None:
    made, _ = cloud(post_1=("/images", (403, {"message": "not for you"})))
    with pytest.raises(HoldfastError, match=r"The cloud lab of /c.yaml refused it: .*403"):
        made.upload({}, "/none", "")


def test_a_cloud_that_is_in_no_file_is_told(tmp_path: Path) -> None:
    made = LabCloud()
    made.use(str(tmp_path / "clouds.yaml"), "lab")
    with pytest.raises(HoldfastError, match="lab"):
        made.images("tiny")


def test_facts_of_a_file(tmp_path: Path) -> None:
    made, _ = cloud()
    (tmp_path / "f").write_bytes(b"content")
    facts = made.file_facts(str(tmp_path / "f"))
    assert facts is not None
    assert facts["size"] == 7
    assert facts["checksums"]["sha512"] == hashlib.sha512(b"content").hexdigest()
    assert made.file_facts(str(tmp_path / "none")) is None
