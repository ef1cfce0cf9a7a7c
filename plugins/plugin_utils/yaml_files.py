# SPDX-License-Identifier: Apache-2.0
"""YAML files of an inventory, checked as nodes: what is wrong with them, each with its line."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator

import yaml
from ansible import context
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.utils.addresses import parse_address
from ansible.plugins.inventory import detect_range, expand_hostname_range

from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import Finding, HoldfastError, counted
from ansible_collections.holdfast.storage.plugins.module_utils.core.foundations import pem
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory.schema import did_you_mean, shown
from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store

_DIRECTORIES = ("group_vars", "host_vars")
_YAML_ENDINGS = (".yml", ".yaml", ".json")
ENDINGS = ("", *_YAML_ENDINGS)
_CERTIFICATE_ENDINGS = (
    ".pem", ".crt", ".cer", ".cert", ".der", ".key", ".csr", ".p7b", ".p7c", ".p12", ".pfx", ".jks",
)  # fmt: skip
_GROUP_KEYS = ("hosts", "children", "vars")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NO_KEY = 'Write the key as plain text, and an expression in quotes: "{{ name }}".'
_NULL = "tag:yaml.org,2002:null"
_KINDS = {"int": "whole number", "float": "number", "bool": "truth value", "timestamp": "date"}
_NAMES = {**_KINDS, "null": "nothing"}
# More than any inventory has; beyond it Python gives up, or never ends: an anchor may hold another twice, and so on.
_DEEPEST = 60
_LARGEST = 1_000_000
TWICE = "inventory.key-twice"
UNREAD = ("inventory.yaml", "inventory.file", "inventory.vault")
_TAGS = re.compile(
    r"tag:yaml\.org,2002:(str|int|float|bool|null|map|seq|timestamp|binary|set|omap|pairs|merge|value)|!unsafe|!vault"
    r"|!vault-encrypted"
)


def beside(directory: str, loader: DataLoader | None) -> list[Finding]:
    """What is wrong with the files of variables beside an inventory or a playbook."""
    return [finding for file in _files(directory) for finding in problems(file, loader)]


def broken(directory: str, loader: DataLoader | None) -> list[str]:
    """The files of variables beside an inventory or a playbook that Ansible can not read."""
    return [file for file in _files(directory) if unreadable(problems(file, loader))]


def on_command_line(loader: DataLoader | None) -> list[Finding]:
    """What is wrong with the files of variables that the command line names; without a loader, those in clear."""
    files = [text[1:] for text in context.CLIARGS.get("extra_vars") or () if text.startswith("@")]
    clear = [file for file in files if loader or not (os.path.exists(file) and secret_store.is_encrypted(file))]
    found = [finding for text in inline_texts() for finding in _problems_of("-e", text.encode())]
    return [*found, *(finding for file in clear for finding in problems(file, loader))]


def inline_texts() -> list[str]:
    """The texts of variables that the command line gives."""
    return [text for text in context.CLIARGS.get("extra_vars") or () if text[:1] in ("{", "[")]


def unreadable(findings: Iterable[Finding]) -> bool:
    """Whether some finding is of a file that Ansible can not read: of two equal keys it takes the last."""
    return any(finding.code != TWICE for finding in findings)


def told(findings: list[Finding]) -> str:
    """Findings as one message."""
    return "\n".join([f"{counted(len(findings), 'problem')} in files.", *map(str, findings)])


def not_text(path: str, loader: DataLoader | None) -> list[Finding]:
    """Why a file can not be read as text, if so."""
    content = file_content(path, loader)
    return [content] if isinstance(content, Finding) else []


def stray(path: str, reason: str) -> Finding:
    """A file beside files of hosts that is none; Ansible takes all that is there for such."""
    what = f"This is no file of hosts. {reason}"
    fix = "Correct the file, or name another one after -i."
    return Finding("error", "inventory.stray", short(path), what, or_move(path).strip() or fix)


def or_move(path: str) -> str:
    """What else helps when a file was not named itself, but stands in the directory of an inventory."""
    named = {os.path.abspath(source) for source in context.CLIARGS.get("inventory") or ()}
    if os.path.abspath(path) in named:
        return ""
    return " If it is no file of hosts, move it out: Ansible takes every file in an inventory's directory for one."


def hosts_file(path: str, loader: DataLoader | None) -> list[Finding]:
    """What is wrong with a YAML file of hosts and groups: it is not YAML, or it is not of their form."""
    content = file_content(path, loader)
    if isinstance(content, Finding):
        return [content]
    root = composed(path, content)
    if isinstance(root, Finding):
        return [root] if path.endswith(_YAML_ENDINGS) else []
    if not path.endswith(_YAML_ENDINGS) and not isinstance(root, yaml.MappingNode):
        return []  # Nothing that Ansible would take for YAML.
    if root is None or any(key.value == "plugin" for key, _ in _pairs(root)):
        return []  # Nothing, or the settings of an inventory plugin.
    findings = [*_endless(path, root), *_of_nodes(path, root)]
    if not isinstance(root, yaml.MappingNode):
        return [*findings, _no_mapping(path, root, "The file", "groups")]
    findings += _plain_names(path, root, "group")
    if any(_endless(path, root)):
        return findings
    findings += [found for key, group in _pairs(root) for found in _group(path, key.value, group)]
    return [*findings, *_loops(path, root)]


def is_yaml(path: str, loader: DataLoader | None) -> bool:
    """Whether a file of hosts is YAML by its name, or by what it holds when its name does not say."""
    if path.endswith(_YAML_ENDINGS):
        return True
    content = file_content(path, loader)
    return not isinstance(content, Finding) and isinstance(composed(path, content), yaml.MappingNode)


def holds_variables(path: str) -> bool:
    """Whether a file is YAML of keys that may be variables."""
    content = file_content(path, None)
    root = None if isinstance(content, Finding) else composed(path, content)
    names = [key.value for key, _ in _pairs(root)] if isinstance(root, yaml.Node) else []
    return any(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) for name in names)


def is_certificate(path: str, loader: DataLoader | None) -> bool:
    """Whether a file is one of certificates or keys: by its name or content. What is in a vault a loader opens."""
    if (is_named := path.lower().endswith(_CERTIFICATE_ENDINGS)) or not os.path.isfile(path):
        return is_named  # What is no plain file may never end.
    try:
        with open(path, "rb") as stream:
            return pem.is_all_of(secret_store.decrypted(loader, stream.read(), path))
    except (OSError, HoldfastError):
        return False


def problems(path: str, loader: DataLoader | None) -> list[Finding]:
    """What is wrong with a file of variables: unreadable, undecipherable, no YAML, no mapping, or a key twice."""
    if is_certificate(path, loader):
        what = "This is a file of certificates or keys, and Ansible reads it as variables here."
        fix = "Move it into the directory tls beside the inventory's hosts, and correct the variable that names it."
        return [Finding("error", "inventory.certificate", short(path), what, fix)]
    content = file_content(path, loader)
    return [content] if isinstance(content, Finding) else _problems_of(path, content)


def _problems_of(path: str, content: bytes) -> list[Finding]:
    root = composed(path, content)
    if isinstance(root, Finding):
        return [root]
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode) and root.tag != _NULL:
        return [_no_mapping(path, root, "The file", "variables")]
    return [*_endless(path, root), *_plain_names(path, root, "variable"), *_of_nodes(path, root)]


def with_secrets(directory: str, variable: str) -> Iterator[str]:
    """The files of variables beside an inventory, in clear, that give a mapping of secrets, whether used or not."""
    for path in _files(directory):
        if secret_store.is_encrypted(path):
            continue
        content = file_content(path, None)
        root = None if isinstance(content, Finding) else composed(path, content)
        if isinstance(root, yaml.MappingNode) and any(
            _pairs(value) for key, value in _pairs(root) if key.value == variable
        ):
            yield path


def file_content(path: str, loader: DataLoader | None) -> bytes | Finding:
    """The file's text, decrypted; or why there is none."""
    if os.path.exists(path) and not os.path.isfile(path):
        what = "It is a directory, a socket or a device, and no file."
        return Finding("error", "inventory.file", short(path), what, "Put a file there, or take it out.")
    try:
        with open(path, "rb") as stream:
            content = secret_store.decrypted(loader, stream.read(), path)
    except OSError as error:
        what = f"It can not be read: {error.strerror}."
        fix = "Put the file there, or take the link out."
        if isinstance(error, PermissionError):
            fix = "Let the user who runs this read it."
        return Finding("error", "inventory.file", short(path), what, fix)
    except HoldfastError as error:
        what, _, fix = error.message.partition(". ")
        return Finding("error", "inventory.vault", short(path), f"{what}.", fix)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        what = f"The byte {content[error.start]:#04x} is not UTF-8."
        return _finding(path, content[: error.start].count(b"\n") + 1, what, "Save the file as UTF-8.")
    if bad := re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text):
        what = f"There is the control character {ord(bad[0]):#04x}, which YAML does not take."
        return _finding(path, text[: bad.start()].count("\n") + 1, what, "Take it out.")
    return content


def composed(path: str, content: bytes) -> yaml.Node | Finding | None:
    """The nodes of a file; None when it holds nothing, a finding when it is no YAML."""
    try:
        root: yaml.Node | None = yaml.compose(content, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(text for text in (error.context, error.problem) if text)
        fix = "Indent with blanks: YAML takes no tabs." if r"'\t'" in reason else "Correct the line."
        return _finding(path, mark.line + 1 if mark else 1, f"This is not YAML: {reason}.", fix)
    except RecursionError:
        return _too_deep(path, 1)
    except yaml.YAMLError as error:
        return _finding(path, 1, f"This is not YAML: {' '.join(str(error).split())}.", "Correct the file.")
    return root


def _endless(path: str, root: yaml.Node) -> Iterator[Finding]:
    """What holds itself by its anchor, or is deeper or larger than anything that is meant. Python would not end."""
    sizes: dict[int, int] = {}
    above: dict[int, yaml.Node] = {}
    waiting = [(root, False)]
    while waiting:
        node, is_done = waiting.pop()
        parts = [part for part in _parts(node) if not isinstance(part, yaml.ScalarNode)]
        if is_done:
            del above[id(node)]
            sizes[id(node)] = 1 + sum(sizes.get(id(part), 1) for part in _parts(node))
            if sizes[id(node)] > _LARGEST:
                what = f"With its anchors, this has more than {_LARGEST} values."
                yield _finding(path, node.start_mark.line + 1, what, "Write what is meant without anchors in anchors.")
                return
        elif id(node) in above:
            what = "The anchor of this is used inside itself: it would never end."
            yield _finding(path, node.start_mark.line + 1, what, "Take out the alias (*NAME) that stands inside.")
            return
        elif len(above) > _DEEPEST:
            yield _too_deep(path, node.start_mark.line + 1)
            return
        elif id(node) not in sizes:
            above[id(node)] = node
            waiting.append((node, True))
            waiting.extend((part, False) for part in parts)


def _too_deep(path: str, line: int) -> Finding:
    what = f"Lists and mappings are in one another more than {_DEEPEST} times."
    return _finding(path, line, what, "Write it in fewer levels.")


def _plain_names(path: str, node: yaml.Node, of: str) -> Iterator[Finding]:
    """Names of hosts, groups or variables that YAML takes for something else than text: on, ~, 1.5, 12."""
    for key, _ in _pairs(node):
        kind = _NAMES.get(key.tag.rpartition(":")[2])
        if kind:
            is_it = "is nothing" if kind == "nothing" else f"is a {kind}"
            what = f"{key.value or 'A key without text'} {is_it} to YAML, and no name of a {of}."
            fix = f'Write a name, or put this in quotes if it is one: "{key.value}".'
            yield _finding(path, key.start_mark.line + 1, what, fix)
        elif not key.value and key.tag.endswith(":str"):
            yield _finding(path, key.start_mark.line + 1, f"A {of} has no name.", "Give it one, or take it out.")


def _ranges(path: str, hosts: yaml.Node) -> Iterator[Finding]:
    """Names that stand for several hosts, and for which Ansible finds none: storage[3:1], storage[1:."""
    for key, _ in _pairs(hosts):
        name = key.value
        with contextlib.suppress(AnsibleError):
            name = parse_address(name, allow_ranges=True)[0]
        if not detect_range(name):
            continue
        try:
            reason = "" if expand_hostname_range(name) else "there is no host in it"
        except AnsibleError as error:
            reason = " ".join(error.message.split()).rstrip(".")
        except ValueError:
            reason = "it has no end"
        if reason:
            what = f"{key.value} is no range of hosts: {reason}."
            yield _finding(path, key.start_mark.line + 1, what, "Write it as NAME[1:3], the lower number first.")


def _of_nodes(path: str, root: yaml.Node) -> Iterator[Finding]:
    for node in nodes(root):
        yield from _tag(path, node)
        yield from _values(path, node)
        yield from _keys(path, node)


def _group(path: str, name: str, node: yaml.Node) -> Iterator[Finding]:
    """What Ansible would refuse without a line, or pass over with a warning."""
    if node.tag == _NULL:
        return
    if not isinstance(node, yaml.MappingNode):
        yield _no_mapping(path, node, f"The group {name}", "hosts, children and vars")
        return
    for key, value in _pairs(node):
        if key.value not in _GROUP_KEYS and key.value != "<<":
            hint = did_you_mean(key.value, _GROUP_KEYS)
            what = f"The key {key.value} of the group {name} is none of {', '.join(_GROUP_KEYS)}."
            yield _finding(path, key.start_mark.line + 1, what, f"{hint}A group of a group stands under children.")
        elif isinstance(value, yaml.SequenceNode) or (key.value == "vars" and isinstance(value, yaml.ScalarNode)):
            if value.tag != _NULL:
                yield _no_mapping(path, value, f"{key.value} of the group {name}", "names, each with a colon")
        elif key.value == "vars":
            yield from _plain_names(path, value, "variable")
        elif key.value == "children":
            yield from _plain_names(path, value, "group")
            for child, inner in _pairs(value):
                yield from _group(path, child.value, inner)
        elif key.value == "hosts":
            yield from _plain_names(path, value, "host")
            yield from _ranges(path, value)
            for host, variables in _pairs(value):
                yield from _plain_names(path, variables, "variable")
                if not isinstance(variables, yaml.MappingNode) and variables.tag != _NULL:
                    yield _no_mapping(path, variables, f"The host {host.value} of the group {name}", "variables")


def _loops(path: str, root: yaml.Node) -> Iterator[Finding]:
    """Groups that are below themselves."""
    below: dict[str, set[str]] = {}
    for parent, child in _children(root):
        reached, waiting = set[str](), [child.value]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting.extend(below.get(name, ()))
        if parent in reached:
            what = f"The group {child.value} stands under {parent}, which is the same or stands under it."
            yield _finding(path, child.start_mark.line + 1, what, "Take one of the two out.")
        else:
            below.setdefault(parent, set()).add(child.value)


def _children(groups: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    """The name of each group, with the key of each group under it, at any depth."""
    for parent, group in _pairs(groups):
        for key, children in _pairs(group):
            if key.value == "children":
                yield from ((parent.value, child) for child, _ in _pairs(children))
                yield from _children(children)


def _pairs(node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
    """The keys that are plain and their values; none of what is no mapping."""
    if not isinstance(node, yaml.MappingNode):
        return []
    return [(key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]


def _no_mapping(path: str, node: yaml.Node, who: str, of: str) -> Finding:
    # The value may be a secret in the wrong place.
    kind = "nothing" if node.tag == _NULL else "a list" if isinstance(node, yaml.SequenceNode) else "a plain value"
    if isinstance(node, yaml.ScalarNode) and node.value.startswith("$ANSIBLE_VAULT"):
        fix = "Have the file begin with $ANSIBLE_VAULT: nothing before it, and no line indented."
        return _finding(path, node.start_mark.line + 1, "This vault is none to Ansible: it is not the whole file.", fix)
    what = f"{who} holds {kind} instead of a mapping of {of}."
    return _finding(path, node.start_mark.line + 1, what, "Write each as NAME: VALUE.")


def nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Every node once, in the order of the file: an anchor may be used often, even inside itself."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        waiting.extend(reversed(_parts(node)))


def _parts(node: yaml.Node) -> list[yaml.Node]:
    """What a list or a mapping holds, keys included."""
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    return [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else []


def _tag(path: str, node: yaml.Node) -> Iterator[Finding]:
    """A tag that Ansible has no meaning for."""
    if node.tag in ("!vault", "!vault-encrypted") and not isinstance(node, yaml.ScalarNode):
        what = f"{node.tag} stands before a list or a mapping: a vault holds one text."
        yield _finding(path, node.start_mark.line + 1, what, "Encrypt each value by itself, or the whole file.")
    elif not _TAGS.fullmatch(node.tag):
        what = f"The tag {node.tag.replace('tag:yaml.org,2002:', '!!')} means nothing here."
        yield _finding(path, node.start_mark.line + 1, what, "Take the tag out, or quote the value.")


def _values(path: str, node: yaml.Node) -> Iterator[Finding]:
    """A plain value that looks like a number, a date or a truth value, and is none: 2024-13-45."""
    if not isinstance(node, yaml.ScalarNode) or node.tag.rpartition(":")[2] not in _KINDS:
        return
    try:
        yaml.SafeLoader("").construct_object(node)
    except (ValueError, LookupError, AttributeError, yaml.YAMLError):
        seen = "What stands here" if secret_store.is_encrypted(path) else shown(node.value)
        what = f"{seen} is no {_KINDS[node.tag.rpartition(':')[2]]}, and YAML takes it for one."
        yield _finding(path, node.start_mark.line + 1, what, "Quote it if it is text, or correct it.")


def _keys(path: str, node: yaml.Node) -> Iterator[Finding]:
    """Keys that are there twice, or that are no plain values; and merges of what has no keys."""
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                yield _finding(path, line, "A list or a mapping is no key.", _NO_KEY)
            elif key.value == "<<" and not _can_be_merged(value):
                yield _finding(path, line, "<< merges mappings, and this is none.", "Name a mapping: <<: *name.")
            else:
                if key.value in lines:
                    what = f"The key {key.value} is in line {lines[key.value]} already."
                    yield _finding(path, line, what, "Leave one of the two.", TWICE)
                lines[key.value] = line


def _can_be_merged(value: yaml.Node) -> bool:
    merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
    return all(isinstance(item, yaml.MappingNode) for item in merged)


def _finding(path: str, line: int, what: str, fix: str, code: str = "inventory.yaml") -> Finding:
    return Finding("error", code, f"{short(path)}:{line}", what, fix)


def short(path: str) -> str:
    """Relative to the working directory where that is shorter."""
    relative = os.path.relpath(path)
    return path if relative.startswith("../..") else relative


def _files(directory: str) -> Iterator[str]:
    for name in _DIRECTORIES:
        for parent, directories, files in os.walk(os.path.join(directory, name), followlinks=True):
            directories[:] = sorted(
                directory
                for directory in directories
                if not _is_passed_over(directory) and not leads_back(os.path.join(parent, directory))
            )
            for file in sorted(files):
                if os.path.splitext(file)[1] in ENDINGS and not _is_passed_over(file):
                    yield os.path.join(parent, file)


def leads_back(path: str) -> bool:
    """Whether a directory is a link to one in which it stands: it would never end."""
    target = os.path.realpath(path)
    return os.path.islink(path) and f"{os.path.realpath(os.path.dirname(path))}/".startswith(f"{target}/")


def _is_passed_over(name: str) -> bool:
    return name.startswith(".") or name.endswith("~")
