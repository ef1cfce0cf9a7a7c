# SPDX-License-Identifier: Apache-2.0
"""The stories of attached volumes: what a host says is believed only when the content is right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.attach import stories as attached
from ansible_collections.holdfast.storage.plugins.module_utils.core.cinder import stories as volume
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import payload
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import story as stories
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify.story import Answer, Scene

RUN = "20260101000000"
WAYS = {protocol: {"type": protocol, "host": "compute1", "ways": 2} for protocol in attached.TITLES}

STORIES = {story.id: story for story in attached.STORIES}


class Cloud:
    """A volume service that gives an attachment, and remembers what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.statuses: list[int] = []

    def endpoint(self, service: str) -> str:
        return "https://api"

    def request(self, method: str, url: str, body: bytes | None = None, headers: Any = None) -> Answer:
        self.asked.append((method, url, json.loads(body) if body else None))
        info = {"driver_volume_type": "iscsi", "target_lun": 0, "auth_password": "s3cret"}
        status = self.statuses.pop(0) if self.statuses else 200
        return Answer(status, {}, json.dumps({"attachment": {"id": "a1", "connection_info": info}}).encode())


def tell(story: str, **facts: Any) -> dict[str, Any]:
    scene = Scene(run=RUN, facts={"protocols": WAYS, **facts})
    return STORIES[story].tell(Cloud(), scene)  # type: ignore[arg-type]


def said(protocol: str, **other: Any) -> dict[str, Any]:
    digest = payload.sha256(payload.content(volume.seed(RUN, protocol), volume.VOLUME_SIZE))
    return {"sha256": digest, "image": "/dev/dm-0", "ways": 2, "host": "compute1", **other}


def test_the_way_to_a_volume_comes_with_its_secret_and_goes_back() -> None:
    cloud = Cloud()
    attachment, connection = attached.attach(cloud, "v1", {"initiator": "iqn.x"})  # type: ignore[arg-type]
    assert connection == {"driver_volume_type": "iscsi", "data": {"target_lun": 0, "auth_password": "s3cret"}}
    assert attached.secrets_of(connection) == {"auth_password": "s3cret"}
    told = attached.without_secrets(connection)
    assert "s3cret" not in str(told)
    assert {**told["data"], **attached.secrets_of(connection)} == connection["data"]
    attached.detach(cloud, attachment)  # type: ignore[arg-type]
    assert [(method, url) for method, url, _ in cloud.asked] == [
        ("POST", "https://api/attachments"),
        ("DELETE", "https://api/attachments/a1"),
    ]


@pytest.mark.parametrize("then", [200, 404])
def test_a_volume_is_given_back_when_the_service_that_has_it_is_coming_back(then: int) -> None:
    cloud = Cloud()
    cloud.statuses = [500, then]
    attached.detach(cloud, "a1")  # type: ignore[arg-type]
    assert [method for method, _, _ in cloud.asked] == ["DELETE", "DELETE"]
    cloud.statuses = [500] * attached.DETACH_TRIES
    with pytest.raises(HoldfastError, match="500"):
        attached.detach(cloud, "a1")  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", attached.TITLES)
def test_what_was_written_is_what_was_read_by_all_ways(protocol: str) -> None:
    assert tell(f"block.{protocol}_written", written=said(protocol))["ways"] == 2


@pytest.mark.parametrize(
    ("lie", "noticed"),
    [({"sha256": "0" * 64}, "other content"), ({"ways": 1}, "1 ways"), ({"sha256": "", "msg": "no path"}, "no path")],
)
def test_a_host_that_read_something_else_or_lacks_a_way_is_noticed(lie: dict[str, Any], noticed: str) -> None:
    with pytest.raises(HoldfastError, match=noticed):
        tell("block.iscsi_written", written=said("iscsi", **lie))


def test_the_restored_volume_holds_what_the_snapshot_kept() -> None:
    assert tell("block.iscsi_restored", kept=said("iscsi"))["on"] == "compute1"
    with pytest.raises(HoldfastError, match="other content"):
        tell("block.iscsi_restored", kept=said("nfs"))


def test_a_wrong_secret_has_to_be_refused_for_being_wrong_and_the_right_one_let_in() -> None:
    refused = {"refused": "VolumeDeviceNotFound", "codes": [24, 24]}
    assert tell("block.chap", kept=said("iscsi", **refused))["refused"] == "VolumeDeviceNotFound"
    with pytest.raises(HoldfastError, match="with a wrong secret"):
        tell("block.chap", kept={"failed": True, "msg": "The volume was attached with a wrong secret."})
    # 8: the portal did not answer in time. A target that is not there refuses everybody.
    for codes in ([8], [24, 8], []):
        with pytest.raises(HoldfastError, match="not for its secret"):
            tell("block.chap", kept=said("iscsi", **{**refused, "codes": codes}))
    with pytest.raises(HoldfastError, match="other content"):
        tell("block.chap", kept=said("iscsi", **refused, sha256="0" * 64))


def test_no_byte_of_a_volume_belongs_on_another_network() -> None:
    for story in ("block.iscsi_written", "block.nvme_written", "block.nfs_written"):
        found = STORIES[story]
        assert stories.judge(found, {"storage": 2 * volume.VOLUME_SIZE, "mgmt": 10**8}, seconds=1, alone=True)
        assert not stories.judge(found, {"storage": 2 * volume.VOLUME_SIZE}, seconds=1, alone=True)
