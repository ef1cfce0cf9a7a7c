# SPDX-License-Identifier: Apache-2.0
"""The probe: the ``read`` functions that concern a host, as one script for one ``python3 -I -S -`` over SSH."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from . import registry

_PACKAGE = "holdfast_probe"

# What runs on the host. It answers one line of JSON: {step: what read gave, or {"error": reason}}.
_SCRIPT = """\
import base64, importlib, importlib.util, json, sys, zlib
sources = json.loads(zlib.decompress(base64.b64decode({sources!r})))
questions, lock = json.loads({asked!r})
class Bundle:
    def find_spec(self, name, path=None, target=None):
        if name in sources:
            return importlib.util.spec_from_loader(name, self, is_package=sources[name] is None)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(compile(sources[module.__name__] or "", module.__name__, "exec"), module.__dict__)
sys.meta_path.insert(0, Bundle())
def load(name):
    return importlib.import_module({package!r} + "." + name)
io = load("io.host").Host()
answer = {{}}
if lock:
    answer["lock"] = load("core.lock").take(io, lock)
if not answer.get("lock"):
    for step, asked in questions.items():
        try:
            answer[step] = load("core.kinds." + step.partition("/")[2]).read(io, asked)
        except Exception as error:
            answer[step] = {{"error": type(error).__name__ + ": " + str(error)}}
print(json.dumps(answer))
"""


def modules(questions: Mapping[str, Any]) -> list[str]:
    """Names below module_utils, without ``.py``, of what the script for these questions is made of."""
    kinds = {f"core/kinds/{step.partition('/')[2]}" for step in questions}
    needs = {need for kind in kinds for need in getattr(registry.kind(kind.rpartition("/")[2]), "NEEDS", ())}
    return ["core/errors", "core/change", "core/config", "core/lock", "io/host", *sorted(kinds | needs)]


def bundle(sources: Mapping[str, str]) -> str:
    """The sources packed, the same for every host that is asked about the same kinds.

    ``sources``: Python text by name, as ``modules`` gives them.
    """
    packed: dict[str, str | None] = {_PACKAGE: None}
    for name, text in sources.items():
        parts = name.split("/")
        for depth in range(1, len(parts)):
            packed[".".join([_PACKAGE, *parts[:depth]])] = None
        packed[".".join([_PACKAGE, *parts])] = text
    return base64.b64encode(zlib.compress(json.dumps(packed).encode(), 6)).decode()


def script(packed: str, questions: Mapping[str, Any], lock: Mapping[str, Any] | None = None) -> str:
    """The script. ``packed``: what ``bundle`` gave; ``lock``: see ``lock.take``."""
    asked = json.dumps([questions, lock])
    return _SCRIPT.format(sources=packed, asked=asked, package=_PACKAGE)


def answer(output: str) -> dict[str, Any]:
    """What the script printed; a login banner before it is passed over. Raises ValueError when there is no answer."""
    for line in reversed(output.strip().splitlines()):
        if line.startswith("{"):
            parsed: dict[str, Any] = json.loads(line)
            return parsed
    raise ValueError("no line of JSON")
