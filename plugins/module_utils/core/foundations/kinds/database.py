# SPDX-License-Identifier: Apache-2.0
"""MariaDB schemas, each with one account that owns it, and that connects by TLS only. It owns those that name it alone.

Read and changed on a server's own host over its unix socket as root. Passwords are compared and set by their hash, so
none travels in a statement. Schemas are made and never dropped.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from ...change import Change, Plan, wait_for
from ...errors import HoldfastError
from ...host_io import IO

CLIENT = ("/usr/bin/mariadb", "--no-defaults", "--batch", "--skip-column-names", "--user=root", "--protocol=socket")
NAME = re.compile(r"^[A-Za-z0-9_]{1,64}$")
HOST = re.compile(r"^[A-Za-z0-9_.:/%-]{1,255}$")
CHARACTER_SET = "utf8mb4"
# As a grant has an underscore: with a backslash, which the client writes twice.
_ESCAPED = re.compile(r"\\+_")
# Each schema is a directory of its own there, whether the server runs or not.
DATA = "/var/lib/mysql"


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "schemas": [entry["name"] for entry in wanted["databases"]],
        "users": [_user(entry) for entry in wanted["databases"]],
    }


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{reachable, made, reason, schemas: {name: character set}, accounts: {user: {host: {password, tls,
    privileges}}}}``.

    ``password`` is a digest of the stored hash; ``privileges`` maps a schema, or ``*`` for all of them, to the
    sorted names, ``["ALL"]`` when they are all that a schema has. ``reachable`` is false where no server answers;
    ``made`` then says whether some of the schemas are there.
    """
    result = io.run(CLIENT, stdin=_query(asked), check=False, timeout=30)
    if result.rc != 0:
        made = any(io.exists(f"{DATA}/{name}") for name in asked["schemas"])
        return {"reachable": False, "made": made, "reason": result.err.strip(), "schemas": {}, "accounts": {}}
    schemas: dict[str, str] = {}
    accounts: dict[str, dict[str, Any]] = {}
    for line in result.out.splitlines():
        kind, name, *values = line.split("\t")
        if kind == "schema":
            schemas[name] = values[0]
        elif kind == "account":
            host, password, tls = values
            accounts.setdefault(name, {})[host] = {"password": password, "tls": tls != "", "privileges": {}}
        elif kind == "grant":
            host, schema, privileges = values
            if account := accounts.get(name, {}).get(host):
                account["privileges"][_ESCAPED.sub("_", schema)] = privileges.split(",")
    return {"reachable": True, "made": True, "reason": "", "schemas": schemas, "accounts": accounts}


def _query(asked: dict[str, Any]) -> str:
    schemas, users = _list(asked["schemas"], NAME), _list(asked["users"], NAME)
    return f"""
SELECT 'schema', SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA
 WHERE SCHEMA_NAME IN ({schemas});
SELECT 'account', User, Host, SHA2(CONCAT(plugin, ' ', authentication_string), 256), ssl_type FROM mysql.user
 WHERE User IN ({users}, '');
SELECT COUNT(*) - 1 INTO @all FROM information_schema.COLUMNS
 WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'db' AND COLUMN_NAME LIKE '%\\_priv';
SELECT 'grant', account.User, account.Host, held.TABLE_SCHEMA,
 IF(COUNT(*) = @all AND MAX(held.IS_GRANTABLE) = 'NO', 'ALL',
    CONCAT_WS(',', IF(MAX(held.IS_GRANTABLE) = 'YES', 'GRANT OPTION', NULL), GROUP_CONCAT(held.PRIVILEGE_TYPE)))
 FROM mysql.user AS account JOIN information_schema.SCHEMA_PRIVILEGES AS held
 ON held.GRANTEE = CONCAT("'", account.User, "'@'", account.Host, "'") WHERE account.User IN ({users})
 GROUP BY 2, 3, 4;
SELECT 'grant', account.User, account.Host, '*', GROUP_CONCAT(held.PRIVILEGE_TYPE)
 FROM mysql.user AS account JOIN information_schema.USER_PRIVILEGES AS held
 ON held.GRANTEE = CONCAT("'", account.User, "'@'", account.Host, "'")
 WHERE account.User IN ({users}) AND held.PRIVILEGE_TYPE <> 'USAGE' GROUP BY 2, 3;
"""  # noqa: S608 - every name has been checked by _list


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    if not current["reachable"] and current["made"]:
        return Plan([wait_for("the database", current["reason"], sql=["SELECT 1"])])
    changes = []
    for host in sorted(current["accounts"].get("", {})):
        changes.append(
            Change(f"account ''@{host}", "delete", "anonymous", data={"sql": [f"DROP USER {_at('', host)}"]})
        )
    owned: dict[str, list[dict[str, Any]]] = {}
    for entry in wanted["databases"]:
        changes += _schema(current, entry)
        owned.setdefault(_user(entry), []).append(entry)
    for user, entries in owned.items():
        accounts = current["accounts"].get(user, {})
        hosts = list(dict.fromkeys(host for entry in entries for host in entry["hosts"]))
        for host in hosts:
            changes += _account(accounts.get(host), entries, user, host)
        for host in sorted(set(accounts) - set(hosts)):
            statement = f"DROP USER {_at(user, host)}"
            changes.append(Change(f"account {user}@{host}", "delete", "not wanted", data={"sql": [statement]}))
    return Plan(changes)


def _schema(current: dict[str, Any], entry: dict[str, Any]) -> list[Change]:
    name, charset = _checked(entry["name"], NAME), _checked(entry.get("character_set") or CHARACTER_SET, NAME)
    found = current["schemas"].get(name)
    if found == charset:
        return []
    verb = "ALTER DATABASE" if found else "CREATE DATABASE IF NOT EXISTS"
    statement = f"{verb} `{name}` CHARACTER SET {charset} COLLATE {charset}_general_ci"
    action = "update" if found else "create"
    return [Change(f"schema {name}", action, found or "", charset, data={"sql": [statement]})]


def _account(found: dict[str, Any] | None, entries: list[dict[str, Any]], user: str, host: str) -> list[Change]:
    """What makes an account the owner of these schemas; its password is that of the first."""
    schemas = [entry["name"] for entry in entries]
    stored = native_hash(entries[0]["password"])
    wanted = {
        "password": hashlib.sha256(f"mysql_native_password {stored}".encode()).hexdigest(),
        "tls": True,
        "privileges": {schema: ["ALL"] for schema in schemas},
    }
    if found == wanted:
        return []
    account = _at(user, host)
    identity = f"IDENTIFIED VIA mysql_native_password USING '{stored}' REQUIRE SSL"
    statements = [f"CREATE USER IF NOT EXISTS {account} {identity}", f"ALTER USER {account} {identity}"]
    if found and found["privileges"] != wanted["privileges"]:
        statements.append(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {account}")
    statements += [f"GRANT ALL PRIVILEGES ON `{_pattern(schema)}`.* TO {account}" for schema in schemas]
    before = _shown(found, found["password"] == wanted["password"]) if found else ""
    action = "update" if found else "create"
    return [Change(f"account {user}@{host}", action, before, _shown(wanted, True), data={"sql": statements})]


def _shown(account: dict[str, Any], is_current: bool) -> str:
    return "\n".join(
        [
            f"password: {'as wanted' if is_current else 'another'}",
            f"TLS: {'required' if account['tls'] else 'not required'}",
            *(f"{schema}: {', '.join(sorted(names))}" for schema, names in sorted(account["privileges"].items())),
        ]
    )


def apply(io: IO, plan: Plan) -> None:
    statements = [statement for change in plan for statement in change.data["sql"]]
    io.run(CLIENT, stdin=";\n".join(statements) + ";\n", timeout=120)


def native_hash(password: str) -> str:
    """What the server keeps of a password with mysql_native_password."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def _user(entry: dict[str, Any]) -> str:
    return _checked(entry.get("user") or entry["name"], NAME)


def _at(user: str, host: str) -> str:
    return f"'{user}'@'{_checked(host, HOST)}'"


def _pattern(schema: str) -> str:
    """A schema's name where an underscore would stand for any character."""
    return schema.replace("_", "\\_")


def _list(names: list[str], form: re.Pattern[str]) -> str:
    return ", ".join(f"'{_checked(name, form)}'" for name in names)


def _checked(text: str, form: re.Pattern[str]) -> str:
    if not form.match(text):
        raise HoldfastError(f"database: {text!r} is no name for a statement. Fix: use one of the form {form.pattern}.")
    return text
