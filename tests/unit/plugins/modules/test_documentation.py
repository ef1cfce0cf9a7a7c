# SPDX-License-Identifier: Apache-2.0
"""What a module's documentation says of its options is what the module takes."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

PLUGINS = "ansible_collections.holdfast.storage.plugins"
DIRECTORY = Path(importlib.import_module(f"{PLUGINS}.module_utils").__file__ or "").parents[1]
MODULES = sorted(path.stem for path in (DIRECTORY / "modules").glob("*.py"))


class TakenError(Exception):
    """Stands for the module that would begin its work: it has the argument_spec and nothing is done."""


def argument_spec(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    def begin(self: Any, argument_spec: dict[str, Any], **others: Any) -> None:
        raise TakenError(argument_spec)

    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.__init__", begin)
    # Documentation has no default for what is now.
    monkeypatch.setattr("time.time", lambda: None)
    monkeypatch.setattr(module, "machine_lock", contextlib.nullcontext, raising=False)
    with pytest.raises(TakenError) as taken:
        module.main()
    return dict(taken.value.args[0])


def descriptions(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        if "description" in node and not isinstance(node["description"], Mapping):
            yield from node["description"] if isinstance(node["description"], list) else [node["description"]]
        for value in node.values():
            yield from descriptions(value)


def agreed(options: Mapping[str, Any], nested: str) -> dict[str, Any]:
    """Options as far as documentation and argument_spec have to agree. ``nested``: the key of options below one."""
    return {
        name: {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "required": option.get("required", False),
            "default": option.get("default"),
            "choices": list(option.get("choices") or ()),
            "options": agreed(option.get(nested) or {}, nested),
        }
        for name, option in options.items()
    }


@pytest.mark.parametrize("name", MODULES)
def test_options_are_as_documented(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"{PLUGINS}.modules.{name}")
    said = yaml.safe_load(module.DOCUMENTATION).get("options") or {}
    if hasattr(module, "main"):
        assert agreed(argument_spec(module, monkeypatch), "options") == agreed(said, "suboptions")
    else:
        assert set(said) == importlib.import_module(f"{PLUGINS}.action.{name}").ActionModule._VALID_ARGS


@pytest.mark.parametrize("name", MODULES)
def test_descriptions_are_text(name: str) -> None:
    """A colon makes a mapping of a sentence, and then ansible-doc shows nothing."""
    module = importlib.import_module(f"{PLUGINS}.modules.{name}")
    for part in (module.DOCUMENTATION, module.RETURN):
        assert all(isinstance(text, str) for text in descriptions(yaml.safe_load(part)))
