# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the Python module bcrypt, where the manager of Ceph cannot load the one that is installed.

Ceph's manager runs each of its modules in an interpreter of its own, and Debian 13's bcrypt refuses to be loaded in a
second one: 13 modules of the manager fail, among them those that volumes and pools need. Where that is so, the manager
gets a small bcrypt over the system's libcrypt. Where it is not, the stand-in goes.
"""

from __future__ import annotations

from typing import Any

from ...change import Change, Plan
from ...host_io import IO

MODULE = "/usr/local/lib/holdfast/ceph-mgr/bcrypt.py"
DROP_IN = "/etc/systemd/system/ceph-mgr@.service.d/holdfast-bcrypt.conf"
PYTHON = "/usr/bin/python3"

# Ends with status 3 when bcrypt is there and a second interpreter cannot load it.
_TEST = """\
import os, sys
try:
    import _interpreters
except ImportError:
    sys.exit(0)
load = "import sys; sys.path.append('/usr/lib/python3/dist-packages'); import bcrypt"
failed = _interpreters.exec(_interpreters.create("legacy"), load)
os._exit(3 if failed and failed.type.__name__ == "ImportError" else 0)
"""

STAND_IN = '''\
# Made by Holdfast, which takes it away when the bcrypt of this system can be loaded by every module of ceph-mgr.
"""Bcrypt over libcrypt: what the modules of ceph-mgr use of it."""

import ctypes
import hmac

_LIBRARY = ctypes.CDLL("libcrypt.so.1")
_LIBRARY.crypt.restype = ctypes.c_char_p
_LIBRARY.crypt.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
_LIBRARY.crypt_gensalt.restype = ctypes.c_char_p
_LIBRARY.crypt_gensalt.argtypes = (ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_int)


def gensalt(rounds=12, prefix=b"2b"):
    return _LIBRARY.crypt_gensalt(b"$" + prefix + b"$", rounds, None, 0)


def hashpw(password, salt):
    hashed = _LIBRARY.crypt(password, salt)
    if not hashed or not hashed.startswith(b"$2"):
        raise ValueError("Invalid salt")
    return hashed


def checkpw(password, hashed_password):
    return hmac.compare_digest(hashpw(password, hashed_password), hashed_password)
'''
DROP_IN_TEXT = f"[Service]\nEnvironment=PYTHONPATH={MODULE.rpartition('/')[0]}\n"


def question(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"test": wanted["state"] == "auto"}


def read(io: IO, asked: dict[str, Any]) -> dict[str, Any]:
    """``{faulty, module, drop_in}``: whether the manager could not load the system's bcrypt, and what stands."""
    return {
        "faulty": asked["test"] and io.run([PYTHON, "-I", "-S", "-c", _TEST], check=False, timeout=30).rc == 3,
        "module": io.read_text(MODULE),
        "drop_in": io.read_text(DROP_IN),
    }


def plan(current: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    needed = current["faulty"] if wanted["state"] == "auto" else wanted["state"] == "present"
    changes = []
    for path, found, text in ((MODULE, current["module"], STAND_IN), (DROP_IN, current["drop_in"], DROP_IN_TEXT)):
        if needed and found != text:
            changes.append(Change(path, "update" if found else "create", found or "", text, {"text": text}))
        elif not needed and found is not None:
            changes.append(Change(path, "delete", found, ""))
    return Plan(changes)


def apply(io: IO, plan: Plan) -> None:
    for change in plan:
        if change.action == "delete":
            io.remove(change.subject)
        else:
            io.write(change.subject, change.data["text"])
    io.run(["/usr/bin/systemctl", "daemon-reload"])
