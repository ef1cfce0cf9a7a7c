# SPDX-License-Identifier: Apache-2.0
"""What the roles declare: variables in the form of ``schema``, their defaults, and the types of back ends.

The entries of one variable may be back ends: then their ``type`` has the mark ``x-backends``. What it may be are the
names of the role's files ``backends/<type>.yml``, and the keys that such a file ``declares`` are keys of an entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import HoldfastError
from .schema import RoleVariables, Variable, did_you_mean

Documents = Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]
"""By role, its variables and its defaults."""

Types = Mapping[str, Mapping[str, Any]]
"""The contents of a role's files of back ends, by type."""


def load_roles(roles_dir: str | Path) -> RoleVariables:
    """Read what the roles in a directory declare. Raises HoldfastError for a declaration that is malformed."""
    documents: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    types: dict[str, Types] = {}
    for role in sorted(path.parent.parent for path in Path(roles_dir).glob("*/meta/variables.yml")):
        documents[role.name] = (_read(role / "meta/variables.yml"), _read(role / "defaults/main.yml"))
        types[role.name] = {file.stem: _read(file) for file in sorted((role / "backends").glob("*.yml"))}
    return declare(documents, types)


def declare(documents: Documents, types: Mapping[str, Types] | None = None) -> RoleVariables:
    """Declarations by role, with its types of back ends. Raises HoldfastError for one that is inconsistent."""
    variables: dict[str, Variable] = {}
    for role, (schemas, defaults) in documents.items():
        own = (types or {}).get(role, {})
        for name, schema in schemas.items():
            if not name.startswith(f"{role}_") or not isinstance(schema, Mapping) or not schema.get("description"):
                raise HoldfastError(
                    f"roles/{role}/meta/variables.yml: {name} must start with {role}_ and be a schema that has a "
                    "description."
                )
            filled = _filled(role, name, schema, own) if _lists_back_ends(schema) else schema
            variables[name] = Variable(name, role, filled, defaults.get(name), name in defaults)
        if own and not any(map(_lists_back_ends, schemas.values())):
            raise HoldfastError(
                f"roles/{role}/meta/variables.yml: no variable takes the types of roles/{role}/backends: "
                f"{', '.join(own)}. Fix: Give the one that lists back ends x-backends: true at the type of its entries."
            )
        if strangers := sorted(set(defaults) - set(schemas)):
            raise HoldfastError(
                f"roles/{role}/defaults/main.yml: {', '.join(strangers)} not declared in meta/variables.yml."
            )
    renamed = {v.schema["x-renamed-from"]: name for name, v in variables.items() if "x-renamed-from" in v.schema}
    reserved = [*documents, *(old.partition("_")[0] for old in renamed)]
    return RoleVariables(variables, tuple(dict.fromkeys(f"{prefix}_" for prefix in reserved)), renamed)


def _lists_back_ends(schema: Any) -> bool:
    """Whether the entries of a variable are back ends."""
    for key in ("items", "properties", "type", "x-backends"):
        schema = schema.get(key) if isinstance(schema, Mapping) else None
    return schema is True


def _filled(role: str, name: str, schema: Mapping[str, Any], types: Types) -> Mapping[str, Any]:
    """The schema of a variable that lists back ends, with the names of the types, and the keys that they declare."""
    if not types:
        raise HoldfastError(
            f"roles/{role}/meta/variables.yml: {name} lists back ends, and the role has no type of them. "
            f"Fix: Add roles/{role}/backends/TYPE.yml, or take x-backends out."
        )
    common = schema["items"]["properties"]
    titles = "; ".join(f"{type_}: {content.get('title', '')}" for type_, content in types.items())
    chosen = {**common["type"], "description": f"{common['type'].get('description', '')} {titles}.", "enum": [*types]}
    properties: dict[str, Any] = {}
    for key, form in common.items():
        properties |= {key: form} if key != "type" else {"type": chosen, **_declared(role, common, types)}
    takers: dict[str, list[str]] = {}
    for type_, content in types.items():
        for key in _keys(content):
            if key not in properties:
                raise HoldfastError(
                    f"roles/{role}/backends/{type_}.yml: {key!r} of needs or allows is declared nowhere. "
                    f"Fix: {did_you_mean(key, properties)}Give its schema under declares."
                )
            takers.setdefault(key, []).append(type_)
    for key, of in takers.items():
        about = f"{properties[key].get('description', '')} For {' and '.join(of)}."
        properties[key] = {**properties[key], "description": about}
    return {**schema, "items": {**schema["items"], "properties": properties}}


def _keys(content: Mapping[str, Any]) -> list[str]:
    """The keys that an entry of a type may have beside those of all, each once."""
    forms = {"needs": list, "allows": list, "declares": dict}
    # What is malformed is refused where the descriptions are read.
    parts = (content[what] for what, form in forms.items() if isinstance(content.get(what), form))
    return list(dict.fromkeys(str(key) for part in parts for key in part))


def _declared(role: str, common: Mapping[str, Any], types: Types) -> dict[str, Mapping[str, Any]]:
    """The keys that types declare, each with its schema."""
    found: dict[str, Mapping[str, Any]] = {}
    declared_in = dict.fromkeys(common, "meta/variables.yml")
    for type_, content in types.items():
        given = content.get("declares")
        for key, form in given.items() if isinstance(given, dict) else ():
            where = f"roles/{role}/backends/{type_}.yml: declares.{key}"
            if key in declared_in:
                raise HoldfastError(
                    f"{where}: is declared already, in {declared_in[key]}. Fix: Take it out here, and name it under "
                    "needs or allows."
                )
            if not isinstance(form, dict) or not form.get("description"):
                raise HoldfastError(f"{where}: is no schema that has a description. Fix: Give it one.")
            if "default" in form:
                raise HoldfastError(
                    f"{where}: has a default, which entries of other types would get too. Fix: Take it out, and say by "
                    "default() under options what is meant without the key."
                )
            found[str(key)] = form
            declared_in[str(key)] = f"backends/{type_}.yml"
    return found


def _read(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe, fast
    except FileNotFoundError:
        return {}
    except yaml.YAMLError as error:
        raise HoldfastError(f"{path}: not valid YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise HoldfastError(f"{path}: must be a mapping.")
    return content
