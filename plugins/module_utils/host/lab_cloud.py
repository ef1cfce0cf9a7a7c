# SPDX-License-Identifier: Apache-2.0
"""A lab's cloud as openstacksdk reaches it, with the files of the machine that this runs on."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from ..core.errors import HoldfastError
from .local import Host

BLOCK = 1024 * 1024
CONFLICT = 409
ALGORITHMS = ("md5", "sha256", "sha512")
"""Of checksums by which the image service may know an image."""

Value = TypeVar("Value")


class LabCloud(Host):
    """See ``core.host_io.CloudIO``."""

    def __init__(self) -> None:
        super().__init__()
        self._path, self._cloud = "", ""
        self._connected: Any = None

    def use(self, path: str, cloud: str) -> None:
        """Of which cloud it is."""
        self._path, self._cloud, self._connected = path, cloud, None

    @contextlib.contextmanager
    def alone(self, seconds: float = 900, path: str = "") -> Iterator[None]:
        """Nothing of this machine is changed, so nobody has to wait."""
        yield

    def images(self, name: str) -> list[dict[str, Any]]:
        """All images of a name."""
        answers = self._ask(lambda cloud: cloud.image.get("/images", params={"name": name, "limit": 1000}))
        hidden = self._ask(lambda cloud: cloud.image.get("/images", params={"name": name, "os_hidden": "true"}))
        return [*answers["images"], *hidden["images"]]

    def upload(self, image: Mapping[str, Any], path: str, store: str) -> dict[str, Any]:
        """Register, send, look again. A half-sent image is left as it is: it is not active."""
        number = self._ask(lambda cloud: cloud.image.post("/images", json=dict(image)))["id"]
        # Whole in memory: a request that is sent again must begin at its beginning.
        content = self.read(path)
        headers = {"Content-Type": "application/octet-stream", **({"X-Image-Meta-Store": store} if store else {})}
        place = f"/images/{number}"
        self._ask(lambda cloud: cloud.image.put(f"{place}/file", data=content, headers=headers))
        return dict(self._ask(lambda cloud: cloud.image.get(place)))

    def delete_image(self, number: str) -> None:
        """Delete, or hide what cannot go."""
        place = f"/images/{number}"
        self._ask(lambda cloud: cloud.image.delete(place), allowed=CONFLICT)
        if self._ask(lambda cloud: cloud.image.get(place), allowed=404):
            patch = [{"op": "replace", "path": "/os_hidden", "value": True}]
            headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
            self._ask(lambda cloud: cloud.image.patch(place, json=patch, headers=headers), allowed=404)

    def file_facts(self, path: str) -> dict[str, Any] | None:
        """Read once, for all checksums."""
        digests = {name: hashlib.new(name, usedforsecurity=False) for name in ALGORITHMS}
        size = 0
        try:
            with open(path, "rb") as stream:
                while part := stream.read(BLOCK):
                    size += len(part)
                    for digest in digests.values():
                        digest.update(part)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        return {"size": size, "checksums": {name: digest.hexdigest() for name, digest in digests.items()}}

    def _call(self, ask: Callable[[Any], Value]) -> Value:
        """What the SDK gives; its errors are told as ours."""
        import openstack
        from keystoneauth1.exceptions import ClientException
        from openstack.exceptions import SDKException

        try:
            if self._connected is None:
                config = openstack.config.OpenStackConfig(config_files=[self._path], load_envvars=False)
                self._connected = openstack.connection.Connection(config=config.get_one(self._cloud))
            return ask(self._connected)
        except (SDKException, ClientException) as error:
            raise HoldfastError(f"The cloud {self._cloud} of {self._path} refused it: {error}") from error

    def _ask(self, ask: Callable[[Any], Any], *, allowed: int = 0) -> Any:
        """The JSON of one answer; None for one without, and for the status ``allowed``."""
        from openstack.exceptions import raise_from_response

        answer = self._call(ask)
        if answer.status_code == allowed:
            return None
        self._call(lambda _: raise_from_response(answer))
        return answer.json() if answer.content else None
