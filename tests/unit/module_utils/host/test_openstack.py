# SPDX-License-Identifier: Apache-2.0
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Host
from ansible_collections.holdfast.storage.plugins.module_utils.host.openstack import Api

ACCESS = {
    "auth_url": "https://cloud:5000/v3",
    "username": "admin",
    "password": "battery staple",
    "user_domain_name": "Default",
    "project_name": "admin",
    "project_domain_name": "Default",
}


@pytest.fixture
def signed(monkeypatch):
    """The sign-ins that were asked for."""
    asked = []

    def request(api, method, path, body=None, headers=None):
        asked.append(path)
        return 201, {"x-subject-token": f"token {len(asked)}"}, {"token": {"catalog": [{"type": "volume"}]}}

    monkeypatch.setattr(Api, "request", request)
    return asked


def test_who_asks_as_the_same_account_signs_in_once(signed):
    host = Host()
    apis = [host.openstack(ACCESS), host.openstack({**ACCESS, "region": "RegionOne"})]
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda api: api.sign_in(known=True), apis)) == ["present", "present"]
    assert len(signed) == 1
    assert [api._token for api in apis] == ["token 1", "token 1"]
    assert apis[0].catalog == apis[1].catalog


@pytest.mark.parametrize("name", sorted(ACCESS))
def test_another_account_signs_in_for_itself(signed, name):
    host = Host()
    host.openstack(ACCESS).sign_in(known=True)
    other = host.openstack({**ACCESS, name: "another"})
    other.sign_in(known=True)
    assert other._token == "token 2"


def test_who_waits_for_a_service_gets_a_new_catalog(signed):
    host = Host()
    host.openstack(ACCESS).sign_in(known=True)
    api = host.openstack(ACCESS)
    api.sign_in()
    assert api._token == "token 2"


def test_what_was_refused_is_not_kept(monkeypatch):
    monkeypatch.setattr(Api, "request", lambda *_: (401, {}, None))
    host = Host()
    assert [host.openstack(ACCESS).sign_in(known=True) for _ in range(2)] == ["refused", "refused"]
    assert not host._tokens
