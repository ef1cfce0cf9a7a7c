# SPDX-License-Identifier: Apache-2.0
"""Files, directories and links: content, owner, group and mode, any number of them in one call.

An entry with the state ``block`` is a part of a file that is somebody else's: its content stands between two lines at
the beginning, and the other lines stay. An empty content takes the part out.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from ...change import Change, Plan
from ...config import redact
from ...host_io import IO

BEGIN, END = "# Begin of what Holdfast writes.\n", "# End of what Holdfast writes.\n"
_BLOCK = re.compile(f"^{re.escape(BEGIN)}(?:.*?^{re.escape(END)})?", re.MULTILINE | re.DOTALL)


def rendered(wanted: dict[str, Any]) -> dict[str, str]:
    """The files, each after a line that says whose it is; links by where they lead."""
    return {
        entry["path"]: f"# {entry['owner']}:{entry['group']} {entry['mode']}\n{entry['content']}"
        if "content" in entry
        else f"-> {entry['target']}\n"
        for entry in wanted["files"]
        if entry.get("state") not in ("directory", "absent")
    }


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    blocks = [entry["path"] for entry in wanted["files"] if entry.get("state") == "block"]
    return {"paths": [entry["path"] for entry in wanted["files"]], **({"blocks": blocks} if blocks else {})}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{path: {type, mode, owner, group, target, sha256, text?} or None}``.

    Text only when detail is asked for, and of files of which a part is ours.
    """
    current: dict[str, Any] = {}
    for path in asked["paths"]:
        found = io.stat(path)
        if found and found["type"] == "file":
            content = io.read(path) or b""
            found["sha256"] = hashlib.sha256(content).hexdigest()
            if asked.get("detail"):
                found["text"] = content.decode("utf-8", "replace")
        if found and path in asked.get("blocks", ()):
            found["text"] = _decoded(io.read(path))
        current[path] = found
    return current


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    changes = []
    for entry in wanted["files"]:
        state = entry.get("state") or "file"
        found = current.get(entry["path"])
        if state == "absent":
            if found:
                changes.append(Change(entry["path"], "delete", before=_text(found, entry), data=entry))
            continue
        if state == "block":
            changes += _block_change(found, entry)
            continue
        facts = _differences(found, entry, state)
        if facts:
            action = "update" if found else "create"
            changes.append(Change(entry["path"], action, *_shown(found, entry, state, facts), data=entry))
    return Plan(changes)


def _block_change(found: dict[str, Any] | None, entry: dict[str, Any]) -> list[Change]:
    """What brings our part of a file to be as it is wanted."""
    now = (found or {}).get("text", "")
    then = _laid(now, entry)
    differing = [name for name in ("owner", "group", "mode") if found and found[name] != entry[name]]
    if then == now and not (differing and entry["content"]):
        return []
    before = [f"{name}: {found[name]}" for name in differing if found] + _BLOCK.findall(now)
    after = [f"{name}: {entry[name]}" for name in differing] + _BLOCK.findall(then)
    action = "update" if found else "create"
    return [Change(entry["path"], action, "\n".join(before), "\n".join(after), data=entry)]


def _laid(text: str, entry: Mapping[str, Any]) -> str:
    """The text of a file with our part as it is wanted, before all other lines."""
    whole = entry.get("replaces")
    others = "" if whole and text.startswith(f"{whole}\n") else _BLOCK.sub("", text)
    if drop := entry.get("drop"):
        others = "".join(line for line in others.splitlines(keepends=True) if not re.match(drop, line))
    content = entry["content"] or ""
    return (f"{BEGIN}{content}{END}" if content else "") + others


def _decoded(content: bytes | None) -> str:
    # Others may have written what is no UTF-8: it stays as it is.
    return (content or b"").decode("utf-8", "surrogateescape")


def _differences(found: dict[str, Any] | None, entry: dict[str, Any], state: str) -> list[str]:
    """Names of what differs: type, content, target, owner, group, mode."""
    if found is None or found["type"] != state:
        return ["type"]
    if state == "link":
        return ["target"] if found["target"] != entry["target"] else []
    differing = [name for name in ("owner", "group", "mode") if entry.get(name) and found[name] != entry[name]]
    if state == "file" and found["sha256"] != hashlib.sha256((entry["content"] or "").encode()).hexdigest():
        differing.insert(0, "content")
    return differing


def _shown(found: dict[str, Any] | None, entry: dict[str, Any], state: str, facts: list[str]) -> tuple[str, str]:
    """Before and after as lines that may be shown. A changed secret is still seen to change."""
    before, after = [], []
    for name in ("owner", "group", "mode"):
        if found and name in facts:
            before.append(f"{name}: {found[name]}")
            after.append(f"{name}: {entry[name]}")
    if state == "link":
        after.append(f"-> {entry['target']}")
    if state == "directory" and found is None:
        after.append("directory")
    if state == "file" and ("content" in facts or "type" in facts):
        shown = _shown_content(found, entry, is_other="content" in facts)
        before.append(shown[0])
        after.append(shown[1])
    return "\n".join(filter(None, before)), "\n".join(filter(None, after))


def _shown_content(found: dict[str, Any] | None, entry: dict[str, Any], *, is_other: bool) -> tuple[str, str]:
    """Both contents; of an entry that is ``secret`` as a whole only their digests."""
    old, new = (found or {}).get("text", ""), entry["content"] or ""
    if entry.get("secret"):
        digests = ((found or {}).get("sha256"), hashlib.sha256(new.encode()).hexdigest())
        before, after = (_digested(digest) if digest else "" for digest in digests)
        return before, after
    if found and "text" not in found and is_other:
        return f"content: sha256 {found['sha256'][:12]}", redact(new)
    return (
        (_changed_secrets_marked(old, new, "old"), _changed_secrets_marked(new, old, "new"))
        if old
        else ("", redact(new))
    )


def _changed_secrets_marked(text: str, other: str, age: str) -> str:
    """The text redacted; where only a hidden value differs from the other text, the line says so."""
    lines, others = text.split("\n"), other.split("\n")
    shown = redact(text).split("\n")
    for tag, start, end, _, _ in difflib.SequenceMatcher(None, lines, others, autojunk=False).get_opcodes():
        if tag != "equal":
            for number in range(start, end):
                if shown[number] != lines[number]:
                    shown[number] += f" ({age} value)"
    return "\n".join(shown)


def _text(found: dict[str, Any], entry: dict[str, Any]) -> str:
    if entry.get("secret") and "sha256" in found:
        return _digested(found["sha256"])
    return redact(found.get("text") or found["type"])


def _digested(digest: str) -> str:
    return f"secret, sha256 {digest[:12]}"


def apply(io: IO, plan: Plan) -> None:
    for change in plan:
        entry, path = change.data, change.subject
        if change.action == "delete":
            io.remove(path)
        elif entry.get("state") == "link":
            io.link(path, entry["target"])
        else:
            access = {"mode": entry["mode"], "owner": entry["owner"], "group": entry["group"]}
            if entry.get("state") == "block":
                io.write(path, _laid(_decoded(io.read(path)), entry).encode("utf-8", "surrogateescape"), **access)
            elif entry.get("state") == "directory":
                io.make_directory(path, **access)
            else:
                io.write(path, entry["content"] or "", **access)
