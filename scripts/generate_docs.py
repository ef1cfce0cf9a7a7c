#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write what is derived from the roles' variables, the flow table and the source; `make docs` runs this.

Makes each role's ``meta/argument_specs.yml``, in ``docs/reference`` the reference with the codes of findings, and in
``schema`` the JSON Schema with which editors complete and check inventories. With ``--check`` it writes nothing and
fails when one is not fresh.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "scripts")]

import finding_codes  # noqa: E402
import findings_page as page_of_findings  # noqa: E402

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import domain  # noqa: E402
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import declarations, schema  # noqa: E402

ORIGIN = "Made by `make docs` from roles/*/meta/variables.yml and defaults/main.yml. Change those."
DISK_SUBJECTS = ("ceph", "lvm", "nfs", "swift")
"""What findings about disks of each sort begin with: `Disk` in core/inventory/disks.py."""
TYPES = {
    "object": "dict",
    "array": "list",
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
}
WORDS = {
    "object": "mapping",
    "array": "list",
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}


def generate() -> dict[Path, str]:
    """Every derived file, by its path."""
    roles = declarations.load_roles(ROOT / "roles")
    by_role: dict[str, list[schema.Variable]] = {}
    for variable in roles.variables.values():
        by_role.setdefault(variable.role, []).append(variable)
    made = {
        ROOT / "roles" / role / "meta/argument_specs.yml": argument_specs(role, variables)
        for role, variables in by_role.items()
    }
    made[ROOT / "docs/reference/variables.md"] = variables_page(by_role)
    made[ROOT / "docs/reference/flows.md"] = flows_page()
    made[ROOT / "docs/reference/findings.md"] = findings_page()
    made[ROOT / "schema/variables.schema.json"] = json.dumps(editor_schema(roles), indent=2) + "\n"
    return made


# -- argument specs -----------------------------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """Indents lists, and writes the same thing twice rather than an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def argument_specs(role: str, variables: list[schema.Variable]) -> str:
    """The role's argument specs. Ranges and forms stand in the variables' schemas, which the model checks."""
    options = {}
    for variable in variables:
        option = _option(variable.schema)
        if variable.has_default:
            if variable.default is not None:
                option["default"] = variable.default
        elif variable.required_groups is None:
            option["required"] = True
        options[variable.name] = option
    content = {
        "argument_specs": {
            "main": {
                "short_description": f"Variables of {role}",
                "description": "What the inventory may say about it; see docs/reference/variables.md.",
                "options": options,
            }
        }
    }
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
    return f"---\n# SPDX-License-Identifier: Apache-2.0\n# {ORIGIN}\n{text}"


def _option(content: Mapping[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in _kinds(content) if kind != "null"]
    option: dict[str, Any] = {
        "type": TYPES[kinds[0]] if len(kinds) == 1 else "raw",
        "description": _sentences(content.get("description", "")),
    }
    if "enum" in content:
        option["choices"] = content["enum"]
    if "array" in kinds:
        items = _option(content["items"])
        option["elements"] = items["type"]
        option.update({key: items[key] for key in ("options", "choices") if key in items})
    if properties := content.get("properties"):
        required = content.get("required", ())
        option["options"] = {
            key: {
                **_option(inner),
                **({"required": True} if key in required else {}),
                **({"default": inner["default"]} if "default" in inner else {}),
            }
            for key, inner in properties.items()
        }
    return option


def _kinds(content: Mapping[str, Any]) -> list[str]:
    kinds = content.get("type", "object")
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _sentences(text: str) -> str:
    return " ".join(text.split())


# -- reference ----------------------------------------------------------------------------------------------------


def variables_page(by_role: Mapping[str, list[schema.Variable]]) -> str:
    """All variables, by role."""
    lines = [
        "# Variables",
        "",
        f"<!-- {ORIGIN} -->",
        "",
        "All variables of an inventory. A variable of the scope *deployment* has one value for all hosts, in whichever",
        "group it is set. A variable of the scope *host* may differ from host to host.",
        "[The inventory](../inventory.md) says how they work together.",
    ]
    for role, variables in by_role.items():
        lines += ["", f"## {role}"]
        for variable in variables:
            lines += ["", f"### {variable.name}", "", _sentences(variable.schema["description"]), ""]
            lines += [f"- Type: {_type(variable.schema)}"]
            lines += [f"- Scope: {'host' if variable.is_host_scoped else 'deployment'}"]
            if variable.has_default:
                lines += [f"- Default: `{json.dumps(variable.default)}`"]
            elif variable.required_groups is None:
                lines += ["- Required"]
            else:
                lines += [f"- Required on hosts in {', '.join(sorted(variable.required_groups))}"]
            keys = list(_keys(variable.schema))
            if keys:
                lines += ["", "| key | type | what it is |", "| --- | --- | --- |", *keys]
    return "\n".join(lines) + "\n"


def _keys(content: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Rows for the keys below a variable; the networks, which are alike, have theirs once."""
    if content.get("type") == "array":
        yield from _keys(content["items"], f"{prefix}[]")
        return
    properties = content.get("properties", {})
    groups: list[tuple[list[str], Mapping[str, Any]]] = []
    for key, inner in properties.items():
        same = next((names for names, other in groups if other == inner), None)
        if same is None:
            groups.append(([key], inner))
        else:
            same.append(key)
    dot = "." if prefix else ""
    for names, inner in groups:
        path = f"{prefix}{dot}{'/'.join(names)}" if len(names) < 5 else f"{prefix}{dot}*file*"
        notes = _sentences(inner.get("description", ""))
        if len(names) >= 5:
            notes += f" Files: {', '.join(names)}."
        if set(names) & set(content.get("required", ())):
            notes += " Required." if len(names) == 1 else f" {content['required'][0]} is required."
        if "default" in inner:
            notes += f" Default: `{json.dumps(inner['default'])}`."
        yield f"| `{path}` | {_type(inner)} | {notes.replace('|', chr(92) + '|')} |"
        yield from _keys(inner, path)
    extra = content.get("additionalProperties")
    if isinstance(extra, Mapping):
        name = f"{prefix}{dot}*name*"
        notes = _sentences(extra.get("description", ""))
        yield f"| `{name}` | {_type(extra)} | {notes} |"
        yield from _keys(extra, name)


def _type(content: Mapping[str, Any]) -> str:
    text = " or ".join(WORDS[kind] for kind in _kinds(content))
    if content.get("type") == "array":
        text += f" of {_type(content['items'])}"
    if "enum" in content:
        text += f", one of {', '.join(f'`{choice}`' for choice in content['enum'])}"
    if "x-pattern" in content:
        text += f", {content['x-pattern']}"
    formats = {"ipv4": "an IPv4 address", "ipv4-network": "an IPv4 network in CIDR form"}
    if "format" in content:
        text += f", {formats[content['format']]}"
    if bounds := schema.bounds(content):
        text += f", {bounds}"
    return text


def flows_page() -> str:
    """The flow table."""
    lines = [
        "# Flows",
        "",
        "<!-- Made by `make docs` from plugins/module_utils/core/flows/rows.py, and what roles/*/service.yml use. -->",
        "",
        "Who talks to whom, on which network. Firewalls, addresses, the checks of preflight and the proof of verify",
        "are derived from this table. All other traffic is refused on the three bridges.",
        "",
        "| flow | realm | network | protocol and ports | from | to | what |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in domain().flows:
        ports = f"{row.protocol} {', '.join(map(str, row.ports))}".strip()
        cells = (row.id, row.realm, row.network, ports, ", ".join(row.clients), row.servers, row.description)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def findings_page() -> str:
    """The codes of all findings."""
    backends = domain().backends.values()
    stand_for = {
        "<service>.<called>": [f"{each.service}.{each.called.replace(' ', '')}" for each in backends],
        "<subject>": DISK_SUBJECTS,
    }
    places = page_of_findings.expanded(finding_codes.collect(ROOT), stand_for)
    return page_of_findings.page(places, examples())


def examples() -> dict[str, tuple[str, str]]:
    """For each code a case that has it alone, by its name and its file; the first that there is."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted((ROOT / "tests/cases/inventory/bad").glob("*.yml")):
        for case in yaml.safe_load(path.read_text()):
            codes = {error.partition(" ")[0] for error in case["errors"]}
            if len(codes) == 1:
                found.setdefault(codes.pop(), (case["name"], str(path.relative_to(ROOT))))
    return found


# -- editors ------------------------------------------------------------------------------------------------------


def editor_schema(roles: schema.RoleVariables) -> dict[str, Any]:
    """One schema for every file of variables: the site's own variables pass, reserved names have to be known."""
    prefixes = "|".join(prefix.removesuffix("_") for prefix in roles.prefixes)
    declared = "|".join(roles.variables)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Variables of a Holdfast inventory",
        "type": "object",
        "properties": {
            variable.name: {
                **variable.schema,
                **({"default": variable.default} if variable.has_default else {}),
            }
            for variable in roles.variables.values()
        },
        "patternProperties": {f"^(?!({declared})$)({prefixes})_": False},
    }


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not fresh")
    check = parser.parse_args().check
    stale = {path: text for path, text in generate().items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
