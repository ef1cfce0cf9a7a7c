# SPDX-License-Identifier: Apache-2.0
import pytest

from ansible_collections.holdfast.storage.plugins.module_utils.core.base.kinds import migration, package
from ansible_collections.holdfast.storage.plugins.module_utils.core.errors import HoldfastError
from ansible_collections.holdfast.storage.plugins.module_utils.host.local import Result

SYNC = {"name": "sync", "argv": ["manage", "db_sync"], "user": "g", "packages": ["g-common"], "environment": {}}


class FakeHost:
    """Answers dpkg-query with the rows it is given."""

    def __init__(self, rows, policy=None):
        self.rows, self.policy = rows, policy

    def run(self, argv, **_):
        assert argv[0] == "/usr/bin/dpkg-query"
        return Result(0, "".join(row + "\n" for row in self.rows), "")

    def read_text(self, path):
        return self.policy

    def exists(self, path):
        return False


class AptHost:
    """A host whose packages enable a unit each; ``dies`` in the middle of an installation."""

    def __init__(self):
        self.files, self.installed, self.enabled, self.dies = {}, set(), {"ssh.service"}, False

    def run(self, argv, **_):
        if argv[0].endswith("dpkg-query"):
            return Result(0, "".join(f"{name}\tii \t1\n" for name in sorted(self.installed)), "")
        if "list-unit-files" in argv:
            return Result(0, "".join(f"{name} enabled\n" for name in sorted(self.enabled)), "")
        if "disable" in argv:
            self.enabled -= set(argv)
        if "install" in argv:
            name = argv[-1]
            self.installed.add(name)
            self.enabled.add(f"{name}.service")
            if self.dies:
                raise KeyboardInterrupt
        return Result(0, "", "")

    def read_text(self, path):
        return self.files.get(path)

    def exists(self, path):
        return path in self.files

    def write(self, path, text, **_):
        self.files[path] = text

    def remove(self, path):
        self.files.pop(path, None)

    def make_directory(self, path, **_):
        pass

    def listdir(self, path):
        return ["x_Packages"]


class Mute(AptHost):
    """A host that does not tell its units when it is asked first."""

    asked = 0

    def run(self, argv, **options):
        if "list-unit-files" in argv:
            self.asked += 1
            if self.asked == 1:
                return Result(1, "", "no bus")
        return super().run(argv, **options)


def planned(rows, names, policy=None):
    wanted = {"packages": names}
    return package.plan(package.read(FakeHost(rows, policy), package.question(wanted)), wanted)


def test_missing_packages_are_one_transaction():
    assert planned(["a\tii \t1"], ["a", "b", "c"]).summary() == ["install 2 packages"]


def test_nothing_to_install():
    assert not planned(["a\tii \t1", "other\trc \t2"], ["a"])


def test_removed_but_configured_counts_as_missing():
    assert planned(["a\trc \t1"], ["a"]).summary() == ["install a"]


def test_interrupted_dpkg_is_finished_first():
    assert planned(["a\tiU \t1", "b\tiF \t1"], ["a"]).summary() == ["configure dpkg", "install a"]


def test_policy_of_a_killed_run_is_removed_and_a_foreign_one_kept():
    assert planned(["a\tii \t1"], ["a"], package.POLICY_TEXT).summary() == ["delete /usr/sbin/policy-rc.d"]
    assert not planned(["a\tii \t1"], ["a"], "#!/bin/sh\nexit 101\n")


class BusyHost(AptHost):
    """Another holds a lock of apt's for some tries."""

    def __init__(self, lock, tries):
        super().__init__()
        self.lock, self.tries, self.asked = lock, tries, []

    def listdir(self, path):
        return ["deb_Packages"] if self.lock == "cache/apt/archives/lock" else []

    def run(self, argv, **given):
        busy = "update" if "lists" in self.lock else "install"
        if busy in argv:
            self.asked.append(busy)
            if self.tries:
                self.tries -= 1
                return Result(100, "", f"E: Could not get lock /var/{self.lock}. It is held by process 7 (apt-get)")
        return super().run(argv, **given)


@pytest.mark.parametrize("lock", ["lib/apt/lists/lock", "cache/apt/archives/lock", "lib/dpkg/lock-frontend"])
def test_another_who_holds_a_lock_of_apt_is_waited_for(monkeypatch, lock):
    monkeypatch.setattr(package, "_PAUSE", 0)
    host = BusyHost(lock, 3)
    wanted = {"packages": ["a"]}
    package.apply(host, package.plan(package.read(host, wanted), wanted))
    assert host.installed == {"a"}
    assert len(host.asked) == 4


def test_one_who_never_lets_go_is_named(monkeypatch):
    monkeypatch.setattr(package, "_PAUSE", 0)
    monkeypatch.setattr(package, "PATIENCE", -1)
    host = BusyHost("lib/apt/lists/lock", 9)
    wanted = {"packages": ["a"]}
    with pytest.raises(HoldfastError, match=r"held by process 7 .* Fix: wait for the other one"):
        package.apply(host, package.plan(package.read(host, wanted), wanted))


def test_units_that_cannot_be_listed_are_not_taken_for_none():
    io, wanted = Mute(), {"packages": ["cinder-api"]}
    with pytest.raises(HoldfastError, match="no bus"):
        package.apply(io, package.plan(package.read(io, package.question(wanted)), wanted))
    assert "ssh.service" in io.enabled
    assert not io.installed


def test_packages_that_cannot_be_listed_are_not_taken_for_none():
    class Broken(FakeHost):
        def run(self, argv, **_):
            return Result(2, "", "dpkg-query: error: parsing file")

    with pytest.raises(HoldfastError, match="parsing file"):
        package.read(Broken([]), {"packages": ["a"]})


def test_units_that_packages_enable_are_disabled_also_when_a_run_was_killed():
    io, wanted = AptHost(), {"packages": ["cinder-api"]}

    def converge():
        package.apply(io, package.plan(package.read(io, package.question(wanted)), wanted))

    io.dies = True
    with pytest.raises(KeyboardInterrupt):
        converge()
    assert "cinder-api.service" in io.enabled
    io.files.pop(package.POLICY, None)  # A kill that no handler saw would have left it.
    io.dies = False
    converge()
    assert io.enabled == {"ssh.service"}
    assert io.files == {}
    assert not package.plan(package.read(io, package.question(wanted)), wanted)


def test_migration_runs_once_for_a_version():
    wanted = {"migrations": [SYNC]}
    first = migration.plan({"done": {"sync": None}, "versions": {"g-common": "1"}}, wanted)
    assert first.summary() == ["run sync"]
    record = first.changes[0].data["record"]
    assert not migration.plan({"done": {"sync": record}, "versions": {"g-common": "1"}}, wanted)
    assert migration.plan({"done": {"sync": record}, "versions": {"g-common": "2"}}, wanted).summary() == ["run sync"]


def test_a_migration_runs_again_with_another_environment_that_is_not_shown():
    first = {"name": "bootstrap", "argv": ["bootstrap"], "packages": [], "environment": {"PASSWORD": "hunter2"}}
    nothing = {"done": {}, "versions": {}}
    done = migration.plan(nothing, {"migrations": [first]})
    stands = {"done": {"bootstrap": done.changes[0].data["record"]}, "versions": {}}
    assert not migration.plan(stands, {"migrations": [first]})
    again = migration.plan(stands, {"migrations": [{**first, "environment": {"PASSWORD": "hunter3"}}]})
    assert again.summary() == ["run bootstrap"]
    assert "hunter" not in repr(again.diff()) + repr(stands)
