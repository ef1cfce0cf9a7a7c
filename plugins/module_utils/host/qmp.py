# SPDX-License-Identifier: Apache-2.0
"""The socket of a virtual machine of QEMU: one command a connection."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any


def command(path: str, name: str, arguments: Mapping[str, Any] | None = None, timeout: float = 10) -> Any:
    """What QEMU returns for a command; None when nothing answers at ``path``, or with an error."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
            channel.settimeout(timeout)
            channel.connect(path)
            with channel.makefile("rw", encoding="utf-8") as stream:
                stream.readline()
                for execute, given in (("qmp_capabilities", {}), (name, dict(arguments or {}))):
                    stream.write(json.dumps({"execute": execute, "arguments": given}) + "\n")
                    stream.flush()
                    # Events may come between.
                    while not {"return", "error"} & (answer := json.loads(stream.readline())).keys():
                        pass
                return answer.get("return")
    except (OSError, ValueError):
        return None
