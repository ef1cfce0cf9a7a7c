# SPDX-License-Identifier: Apache-2.0
import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.wants import migration
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.load import Description, ordered
from ansible_collections.holdfast.storage.plugins.module_utils.core.description.services import Services
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Host, Model, Network
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import EXPRESSIONS, ORDER

SECRETS = {"glance_database_password": "123456", "glance_message_queue_password": "q" * 22}


def model():
    common = {"haproxy_address": "10.0.0.10", "holdfast_region": "RegionOne", "glance_workers": 2}
    hosts = {
        name: Host(name, frozenset(groups), {"mgmt": f"10.0.0.{number}"}, {}, {**common, "glance_conf_overrides": {}})
        for number, (name, groups) in enumerate(
            {"control1": ["glance_api", "mariadb", "rabbitmq", "haproxy"], "other1": ["swift_storage"]}.items(), 11
        )
    }
    return Model("t", {"mgmt": Network("mgmt", "br-mgmt", "10.0.0.0/24")}, hosts, common)


def described(**content):
    base = {"service": "glance", "components": [{"group": "glance_api", "user": "glance", **content}]}
    glance = Description("glance", base, {"x.j2": "port {{ port('glance_api') }}"})
    return Services([glance], model(), SECRETS, expressions=EXPRESSIONS)


def component(**content):
    services = described(**content)
    (found,) = services.components(services.model.hosts["control1"])
    return found


def ini(content, **entry):
    found = component(files=[{"path": "/etc/g.conf", "format": "ini", "content": content, **entry}])
    return found["files"][0]["content"]


def test_an_expression_keeps_its_type_and_text_stays_text():
    assert component(units=[{"name": "g", "listens": ["{{ bind('glance_api') }}:{{ port('glance_api') }}"]}])[
        "units"
    ] == [{"name": "g", "listens": ["10.0.0.11:9292"]}]
    assert component(workers="{{ glance_workers }}")["workers"] == 2
    assert component(p="{{ secret('glance_database_password') }}")["p"] == "123456"


def test_a_place_has_the_path_that_the_load_balancer_asks():
    content = {"service": "glance", "components": [{"group": "glance_api", "place": "{{ place('glance_api') }}"}]}
    other, own = {"flow": "glance_api_internal", "check": "/other"}, {"flow": "glance_api", "check": "/healthcheck"}
    for balancer, expected in (([other], "10.0.0.11:9292"), ([other, own], "10.0.0.11:9292/healthcheck")):
        services = Services([Description("glance", {**content, "balancer": balancer}, {})], model(), SECRETS)
        (found,) = services.components(services.model.hosts["control1"])
        assert found["place"] == expected


def test_files_belong_to_root_and_the_service():
    (entry,) = component(files=[{"path": "/etc/g", "template": "x.j2"}])["files"]
    assert entry == {"path": "/etc/g", "owner": "root", "group": "glance", "mode": "0640", "content": "port 9292\n"}


def test_urls_verify_their_peers():
    text = ini({"database": {"connection": "{{ database_url('glance') }}"}})
    assert "mysql+pymysql://glance:123456@10.0.0.11:3306/glance?charset=utf8mb4&ssl_ca=/etc/holdfast/tls/ca.pem" in text
    assert "ssl_check_hostname=true" in text
    assert "https://10.0.0.10:5000" in ini({"a": {"auth": "{{ url('keystone') }}"}})
    assert f"rabbit://glance:{'q' * 22}@10.0.0.11:5671/glance" in ini({"a": {"t": "{{ queue_url('glance') }}"}})


def test_overrides_reach_any_option():
    services = described(
        files=[
            {"path": "/e", "format": "ini", "content": {"a": {"x": 1, "y": 2}}, "overrides": "glance_conf_overrides"}
        ]
    )
    services.model.hosts["control1"].variables["glance_conf_overrides"] = {"a": {"y": 3}, "b": {"z": True}}
    (found,) = services.components(services.model.hosts["control1"])
    assert found["files"][0]["content"] == "[a]\nx = 1\ny = 3\n\n[b]\nz = true\n"


def test_when_leaves_out_items_files_and_components():
    assert component(units=[{"name": "a", "when": "{{ false }}"}, {"name": "b"}])["units"] == [{"name": "b"}]
    assert component(files=[{"path": "/a", "content": "x", "when": "{{ glance_workers > 3 }}"}])["files"] == []
    services = described(when="{{ host.is_container }}")
    assert not list(services.components(services.model.hosts["control1"]))


def test_only_members_get_a_component_and_only_deployed_services_count():
    services = described()
    assert not list(services.components(services.model.hosts["other1"]))
    nobody = Description("trove", {"service": "trove", "components": [{"group": "trove"}]}, {})
    assert Services([nobody], model(), {}).descriptions == ()


def test_a_service_exists_by_the_members_of_the_groups_that_deploy_it():
    components = [{"group": ["trove", "glance_api"]}, {"group": "swift_storage"}]
    first = {"service": "a", "components": components}
    by_nobody = Description("b", {**first, "service": "b", "deployed_by": ["trove"]}, {})
    by_storage = Description("c", {**first, "service": "c", "deployed_by": ["trove", "swift_storage"]}, {})
    services = Services([Description("a", first, {}), by_nobody, by_storage], model(), {})
    assert [(found.name, services.first_host(found).name) for found in services.descriptions] == [
        ("a", "control1"),
        ("c", "other1"),
    ]


def test_migrations_run_in_the_phase_that_they_name_in_the_order_of_services():
    def migrating(name, **more):
        entries = [
            {"name": name, "group": "glance_api", "argv": ["/bin/sync"], "packages": []},
            {"name": f"{name}-after", "phase": "finish", "group": "glance_api", "argv": ["/bin/map"], "packages": []},
        ]
        content = {"service": name, "components": [{"group": "glance_api"}], "migrations": entries, **more}
        return Description(name, content, {})

    found = ordered([migrating("a", after=["b"]), migrating("b")])
    services = Services(found, model(), {})
    hosts = services.model.hosts

    def names(phase, host="control1"):
        wanted = migration(services.model, hosts[host], services.within(phase), {})
        return [entry["name"] for entry in wanted.get("migrations", ())]

    assert names("services") == ["b", "a"]
    assert names("finish") == ["b-after", "a-after"]
    assert names("finish", "other1") == names("identity") == []
    assert "finish" in ORDER.phases
    assert ORDER.phases.index("finish") > ORDER.phases.index("services")


def test_a_phase_sees_its_own_services():
    services = described()
    host = services.model.hosts["control1"]
    assert not list(services.within("foundations").components(host))
    assert len(list(services.within("services").components(host))) == 1


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("{{ glance_typo }}", "glance_typo"),
        ("x {{ glance_typo }}", "glance_typo"),
        ("{{ secret('nope') }}", "nope"),
        ("{{ address('storage') }}", "networks_ports.storage"),
        ("{{ port('nope') }}", "nope"),
    ],
)
def test_what_a_description_asks_in_vain_is_named(expression, said):
    with pytest.raises(HoldfastError, match=said):
        component(value=expression)
