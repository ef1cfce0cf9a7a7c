# SPDX-License-Identifier: Apache-2.0
import hashlib
from pathlib import PurePosixPath

from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone import fernet
from ansible_collections.holdfast.storage.plugins.module_utils.core.keystone.kinds import (
    fernet_repository as kind,
)

PATH = "/etc/keystone/fernet-keys"


class Files:
    """A host's files in memory: text by path, directories as None."""

    def __init__(self):
        self.content, self.access, self.log = {}, {}, []

    def stat(self, path):
        if path not in self.content:
            return None
        group, mode = self.access[path]
        kind_of = "directory" if self.content[path] is None else "file"
        return {"type": kind_of, "owner": "root", "group": group, "mode": mode}

    def listdir(self, path):
        return sorted(PurePosixPath(name).name for name in self.content if str(PurePosixPath(name).parent) == path)

    def digest(self, path):
        return hashlib.sha256(self.content[path].encode()).hexdigest()

    def write(self, path, content, *, mode, group):
        self.content[path], self.access[path] = content, (group, mode)
        self.log.append(f"write {path}")

    def make_directory(self, path, *, mode, group):
        self.content[path], self.access[path] = None, (group, mode)

    def remove(self, path):
        del self.content[path]
        self.log.append(f"remove {path}")


def wanted(secret):
    return {"repositories": [{"path": PATH, "group": "keystone", "keys": fernet.keys(secret)}]}


def converge(io, want):
    plan = kind.plan(kind.read(io, kind.question(want)), want)
    kind.apply(io, plan)
    return plan


def secrets():
    one = fernet.generate(lambda size: b"a" * size, 0)
    numbers = iter(b"bcdef")
    two = fernet.rotate(one, maximum=3, random=lambda size: bytes([next(numbers)]) * size, now=1)
    return one, two, fernet.rotate(two, maximum=3, random=lambda size: bytes([next(numbers)]) * size, now=2)


def test_a_bare_host_gets_the_directory_and_both_keys():
    io, (first, _, _) = Files(), secrets()
    plan = converge(io, wanted(first))
    assert plan.summary() == [f"create {PATH}", f"create {PATH}/1", f"create {PATH}/0"]
    assert io.access[PATH] == ("keystone", "0750")
    assert io.access[f"{PATH}/0"] == ("keystone", "0640")
    assert not converge(io, wanted(first))


def test_a_rotation_writes_the_primary_first_and_the_staged_key_before_anything_goes():
    io, (_, second, third) = Files(), secrets()
    converge(io, wanted(second))
    io.log.clear()
    converge(io, wanted(third))
    assert io.log == [f"write {PATH}/3", f"write {PATH}/0", f"remove {PATH}/1"]
    assert not converge(io, wanted(third))


def test_no_key_is_shown():
    io, (first, second, _) = Files(), secrets()
    plans = [converge(io, wanted(first)), converge(io, wanted(second))]
    shown = repr([(plan.diff(), plan.changes) for plan in plans])
    assert not any(key in shown for secret in (first, second) for key in fernet.keys(secret).values())


def test_a_readable_key_is_written_anew():
    io, (first, _, _) = Files(), secrets()
    converge(io, wanted(first))
    io.access[f"{PATH}/1"] = ("keystone", "0644")
    assert converge(io, wanted(first)).summary() == [f"update {PATH}/1"]
