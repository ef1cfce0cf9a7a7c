# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes.util
import types

import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.ceph.kinds import ceph_mgr
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result


class FakeHost:
    def __init__(self, status: int) -> None:
        self.status, self.files, self.commands = status, {}, []

    def run(self, argv, **options):
        self.commands.append(list(argv))
        return Result(self.status if argv[0] == ceph_mgr.PYTHON else 0, "", "")

    def read_text(self, path):
        return self.files.get(path)

    def write(self, path, content):
        self.files[path] = content

    def remove(self, path):
        self.files.pop(path, None)


def converge(io, state="auto"):
    wanted = {"state": state}
    plan = ceph_mgr.plan(ceph_mgr.read(io, ceph_mgr.question(wanted)), wanted)
    ceph_mgr.apply(io, plan)
    return plan.summary()


def test_the_stand_in_comes_with_the_fault_and_goes_with_it():
    io = FakeHost(3)
    assert converge(io) == [f"create {ceph_mgr.MODULE}", f"create {ceph_mgr.DROP_IN}"]
    assert "PYTHONPATH=/usr/local/lib/holdfast/ceph-mgr\n" in io.files[ceph_mgr.DROP_IN]
    assert not converge(io)
    io.status = 0
    assert converge(io) == [f"delete {ceph_mgr.MODULE}", f"delete {ceph_mgr.DROP_IN}"]
    assert not io.files
    assert not converge(io)


def test_without_the_fault_nothing_is_done():
    assert not converge(FakeHost(0))
    assert not converge(FakeHost(1))


@pytest.mark.skipif(not ctypes.util.find_library("crypt"), reason="needs libcrypt")
def test_the_stand_in_hashes_as_bcrypt_does():
    bcrypt = types.ModuleType("bcrypt")
    exec(ceph_mgr.STAND_IN, bcrypt.__dict__)
    # A known answer of bcrypt.
    known = b"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
    assert bcrypt.hashpw(b"U*U", known[:29]) == known
    assert bcrypt.checkpw(b"U*U", known)
    assert not bcrypt.checkpw(b"U*u", known)
    made = bcrypt.hashpw(b"secret", bcrypt.gensalt(4))
    assert made.startswith(b"$2b$04$")
    assert bcrypt.checkpw(b"secret", made)
    with pytest.raises(ValueError, match="salt"):
        bcrypt.hashpw(b"x", b"nonsense")
