# SPDX-License-Identifier: Apache-2.0
import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.holdfast.storage.plugins.module_utils.core import config

NAMES = st.from_regex(r"[a-z][a-z_]{0,12}", fullmatch=True)
VALUES = st.one_of(st.integers(), st.from_regex(r"[A-Za-z0-9/:@.\-]{1,20}", fullmatch=True))


def test_values_as_oslo_reads_them():
    text = config.FORMATS["oslo"].render(
        {"DEFAULT": {"debug": False, "left_out": None, "stores": ["a:b", "c"]}, "x": {"m": {"each": [1, 2]}}}
    )
    assert text == "[DEFAULT]\ndebug = false\nstores = a:b,c\n\n[x]\nm = 1\nm = 2\n"


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=4))
def test_what_is_written_is_what_is_read(sections):
    parser = configparser.ConfigParser(interpolation=None, default_section="NONE")
    parser.read_string(config.FORMATS["oslo"].render(sections))
    assert {name: dict(parser[name]) for name in parser.sections()} == {
        name: {key: str(value) for key, value in options.items()} for name, options in sections.items()
    }


def test_merge_reaches_any_depth_and_changes_neither():
    base, over = {"a": {"x": 1, "y": 2}}, {"a": {"y": 3}, "b": {"z": 4}}
    assert config.merge(base, over) == {"a": {"x": 1, "y": 3}, "b": {"z": 4}}
    assert base == {"a": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    "line",
    [
        "password = hunter2",
        "admin_password: hunter2",
        "memcache_secret_key=hunter2",
        "swift_hash_path_suffix = hunter2",
        '  "password": "hunter2"',
        "connection = mysql+pymysql://glance:hunter2@10.0.0.1/glance",
        "transport_url = rabbit://a:hunter2@h1:5671,a:hunter2@h2:5671/v",
        "sql = mysql://u:hunter2@h/d",
        "rabbitmq_erlang_cookie = hunter2",
        "default_pass = hunter2",
    ],
)
def test_redact_hides_what_is_secret(line):
    assert "hunter2" not in config.redact(line)
    assert config.redact(line) != ""


@pytest.mark.parametrize("line", ["bind_host = 10.0.0.1", "workers = 2", "key_repository = /etc/keystone/keys", "# a"])
def test_redact_leaves_the_rest(line):
    assert config.redact(line) == line
