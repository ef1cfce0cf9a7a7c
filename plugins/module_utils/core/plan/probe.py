# SPDX-License-Identifier: Apache-2.0
"""The probe: the ``read`` functions that concern a host, as one script for one ``python3 -I -S -`` over SSH."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..kind import Kind

_PACKAGE = "holdfast_probe"

THREADS = 4
"""How many kinds are read at once: most of them wait for a command or for a service."""

_COMMENT = re.compile(r"[ \t]+#[^\n]*")
_IMPORT = re.compile(r"^ *from (\.+)([\w.]*) import (\([^)]*\)|.*)$", re.M)

# What runs on the host. The steps of the last phases ask services and wait longest, so they begin first. It answers one
# line of JSON: {step: what read gave, or {"error": reason}}.
_SCRIPT = """\
import base64, importlib, importlib.util, json, sys, threading, zlib
sources = json.loads(zlib.decompress(base64.b64decode({sources!r})))
kinds, questions, lock = json.loads({asked!r})
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
io = load("host.local").Host()
answer = {{}}
if lock:
    answer["lock"] = load("core.plan.lock").take(io, lock)
def work():
    while questions:
        try:
            step, asked = questions.popitem()
        except KeyError:
            return
        try:
            answer[step] = load(kinds[step]).read(io, asked)
        except Exception as error:
            answer[step] = {{"error": type(error).__name__ + ": " + str(error)}}
if not answer.get("lock"):
    threads = [threading.Thread(target=work) for _ in range({threads})]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(json.dumps(answer))
"""


def modules(kinds: Iterable[Kind], source: Callable[[str], str | None]) -> list[str]:
    """Names below module_utils, without ``.py``, of what the script is made of that reads these kinds.

    ``source`` gives the text of one, or None where there is none: what one imports is sent too.
    """
    found: set[str] = set()
    wanted = ["host/local", "core/plan/lock", *(below(kind).replace(".", "/") for kind in kinds)]
    while wanted:
        name = wanted.pop()
        if name not in found and (text := source(name)) is not None:
            found.add(name)
            wanted += _imported(name, text)
    return sorted(found)


def below(kind: Kind) -> str:
    """The name of a kind's module below module_utils, with dots."""
    return kind.__name__.rpartition("module_utils.")[2]


def _imported(name: str, text: str) -> Iterator[str]:
    """What a module imports by a relative name: modules, and names that may be modules."""
    for dots, package, names in _IMPORT.findall(_COMMENT.sub("", text)):
        parts = [*name.split("/")[: -len(dots)], *filter(None, package.split("."))]
        yield "/".join(parts)
        yield from ("/".join([*parts, word.split()[0]]) for word in names.strip("()").split(",") if word.split())


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


def script(
    packed: str, kinds: Mapping[str, str], questions: Mapping[str, Any], lock: Mapping[str, Any] | None = None
) -> str:
    """The script. ``packed``: what ``bundle`` gave; ``kinds``: each step's module; ``lock``: see ``lock.take``."""
    asked = json.dumps([kinds, questions, lock])
    return _SCRIPT.format(sources=packed, asked=asked, package=_PACKAGE, threads=THREADS)


def answer(output: str) -> dict[str, Any]:
    """What the script printed; a login banner before it is passed over. Raises ValueError when there is no answer."""
    for line in reversed(output.strip().splitlines()):
        if line.startswith("{"):
            parsed: dict[str, Any] = json.loads(line)
            return parsed
    raise ValueError("no line of JSON")
