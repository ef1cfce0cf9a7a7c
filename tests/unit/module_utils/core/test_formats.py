# SPDX-License-Identifier: Apache-2.0
"""What is written is what its reader reads, or it is refused: every format against its reader, or as that was seen."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oslo_config import cfg, types

from ansible_collections.holdfast.storage.plugins.module_utils.core import config
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError

# What makes trouble somewhere: quotes, blanks, comments, references, escapes, ends of lines, letters beyond ASCII.
TEXTS = st.text(st.sampled_from("ab $\"'\\#;%(){}[]=:,\t\n\r\0~!ä§€\u2028\x85\x1c"), max_size=10)
HARD = [
    "", "$", "$1 per GB", "a$b", "$$", "${a}", "$state_path/x", "ab$cd0123456789abcdef", "'quoted'", '"quoted"', '"',
    "''", "'a", " a ", "\ta", "a\\b", "\\", "# a", "a # b", "; a", "100%", "%(a)s", "a%%b", "[a]", "a = b", "ä§€",
    "{{ a }}",
]  # fmt: skip


class Nicer(configparser.BasicInterpolation):
    """As Swift reads its files: there is something to replace only where `%(` is."""

    def before_get(self, parser: Any, section: str, option: str, value: str, defaults: Any) -> str:
        return super().before_get(parser, section, option, value, defaults) if "%(" in value else value


def read_oslo(text: str, option: cfg.Opt, path: Path) -> Any:
    path.write_text(text, encoding="utf-8", newline="")
    conf = cfg.ConfigOpts()
    conf.register_opts([option, cfg.StrOpt("state_path", default="/other"), cfg.StrOpt("b", default="other")], "x")
    conf(args=[], default_config_files=[str(path)], default_config_dirs=[])
    return conf.x[option.dest]


def read_parser(text: str, interpolation: configparser.Interpolation) -> str:
    parser = configparser.ConfigParser(interpolation=interpolation)
    parser.read_string(text)
    return parser.get("x", "v")


def written(form: str, value: Any) -> str | None:
    """The file, or None where the format says that its reader can not be told this."""
    try:
        return config.FORMATS[form].render({"x": {"v": value, "w": "1"}})
    except HoldfastError:
        return None


@pytest.mark.parametrize("value", HARD)
def test_oslo_reads_what_was_given(value: str, tmp_path: Path) -> None:
    text = written("oslo", value)
    assert text is not None
    assert read_oslo(text, cfg.StrOpt("v"), tmp_path / "x.conf") == value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(TEXTS)
def test_oslo_reads_what_was_given_whatever_it_is(tmp_path: Path, value: str) -> None:
    text = written("oslo", value)
    if text is None:
        assert "\\$" in value or set(value) & set("\r\n\0")
    else:
        assert read_oslo(text, cfg.StrOpt("v"), tmp_path / "x.conf") == value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_oslo_reads_an_option_that_repeats(tmp_path: Path, values: list[str]) -> None:
    text = written("oslo", {"each": values})
    if text is not None:
        assert read_oslo(text, cfg.MultiStrOpt("v"), tmp_path / "x.conf") == values


@pytest.mark.parametrize(
    ("value", "option", "read"),
    [
        (True, cfg.BoolOpt("v"), True),
        (False, cfg.BoolOpt("v"), False),
        (0.00001, cfg.FloatOpt("v"), 0.00001),
        (1e22, cfg.FloatOpt("v"), 1e22),
        (-7, cfg.IntOpt("v"), -7),
        (["a", "b"], cfg.ListOpt("v"), ["a", "b"]),
        (["$a", "b'"], cfg.ListOpt("v"), ["$a", "b'"]),
        ([], cfg.ListOpt("v"), []),
        (
            {"each": ["backend_id:b,san_ip:1.2.3.4", "backend_id:c,san_ip:1.2.3.5"]},
            cfg.MultiOpt("v", item_type=types.Dict()),
            [{"backend_id": "b", "san_ip": "1.2.3.4"}, {"backend_id": "c", "san_ip": "1.2.3.5"}],
        ),
        ({"each": ["token:a$b"]}, cfg.MultiOpt("v", item_type=types.Dict()), [{"token": "a$b"}]),
    ],
)
def test_oslo_reads_every_type(value: Any, option: cfg.Opt, read: Any, tmp_path: Path) -> None:
    text = written("oslo", value)
    assert text is not None
    assert read_oslo(text, option, tmp_path / "x.conf") == read


@settings(max_examples=300)
@given(TEXTS | st.sampled_from(HARD))
def test_swift_and_python_read_what_was_given(value: str) -> None:
    for form, interpolation in (("paste", Nicer()), ("configparser", configparser.BasicInterpolation())):
        text = written(form, value)
        if text is None:
            assert value != value.strip() or set(value) & set("\r\n\0")
        else:
            assert read_parser(text, interpolation) == value


@settings(max_examples=300)
@given(TEXTS | st.sampled_from(HARD))
def test_glance_reads_its_reference_to_swift(value: str) -> None:
    text = written("swift_reference", value)
    if text is None:
        assert set(value) & set("\r\n\0")
    else:
        read = read_parser(text, configparser.BasicInterpolation())
        assert (read[1:-1] if read[:1] in ("'", '"') else read) == value


# What the programs of Debian 13 made of these lines: my_print_defaults, RabbitMQ's conf_parse, ceph-conf.
SEEN = [
    ("mariadb", "x # y", '"x # y"'),
    ("mariadb", " lead ", '" lead "'),
    ("mariadb", "a\\b", '"a\\\\b"'),
    ("mariadb", 'a"b', '"a\\"b"'),
    ("mariadb", "'a'", "\"'a'\""),
    ("mariadb", "utf8mb4_general_ci", "utf8mb4_general_ci"),
    ("mariadb", True, "ON"),
    ("mariadb", False, "OFF"),
    ("mariadb", 0.5, "0.5"),
    ("rabbitmq", True, "true"),
    ("rabbitmq", False, "false"),
    ("rabbitmq", 0.00001, "0.00001"),
    ("rabbitmq", "x # y", "'x # y'"),
    ("rabbitmq", " lead", "' lead'"),
    ("rabbitmq", "", "''"),
    ("rabbitmq", "it's", "it's"),
    ("rabbitmq", "a\\b $x", "a\\b $x"),
    ("rabbitmq", "'a'", None),
    ("rabbitmq", "it's # 1", None),
    ("rabbitmq", "$(log.dir)/x", None),
    ("rabbitmq", "a\nb = c", None),
    ("ceph", True, "true"),
    ("ceph", "x # y; z", "x \\# y\\; z"),
    ("ceph", "a\\b", "a\\\\b"),
    ("ceph", '"a"', '\\"a"'),
    ("ceph", "'a'", "\\'a'"),
    ("ceph", "it's", "it's"),
    ("ceph", "/var/log/ceph/$cluster-$name.log", "/var/log/ceph/$cluster-$name.log"),
    ("ceph", " lead", None),
    ("ini", " lead", None),
    ("ini", "a\nb", None),
    ("ini", True, "true"),
    ("oslo", "a\\$b", None),
    ("oslo", ["a,b", "c"], None),
    ("paste", "a ", None),
]


@pytest.mark.parametrize(("form", "value", "line"), SEEN)
def test_a_value_is_as_its_reader_was_seen_to_read_it_or_refused(form: str, value: Any, line: str | None) -> None:
    if line is None:
        with pytest.raises(ValueError, match=r"^(is|has) "):
            config.FORMATS[form].value(value)
    else:
        assert config.FORMATS[form].value(value) == line


def test_a_refusal_names_the_option_and_the_reason_and_not_the_value() -> None:
    with pytest.raises(HoldfastError) as refused:
        config.FORMATS["oslo"].render({"backend": {"san_password": "hun\\$ter2"}})
    assert str(refused.value).startswith("[backend] san_password has a backslash before a dollar sign")
    assert "ter2" not in str(refused.value)


def test_rabbitmq_knows_no_sections() -> None:
    assert config.RENDERERS["rabbitmq"]({"log.console": True, "a": None}) == "log.console = true\n"
