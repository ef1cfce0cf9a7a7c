# SPDX-License-Identifier: Apache-2.0
"""A controller for actions: Ansible's own task, loader, templar, vault and local connection, and a deployment.

Only the modules of hosts are told what to answer.
"""

from __future__ import annotations

import copy
import importlib.util
import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import (
    Deployment,
    RunDirectory,
    known_secrets,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.inventory import secrets
from ansible_collections.holdfast.storage.plugins.module_utils.core.model import Model
from ansible_collections.holdfast.storage.plugins.module_utils.core.plan import planning, rendering
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import ORDER
from ansible_collections.holdfast.storage.plugins.plugin_utils import secret_store
from ansible_collections.holdfast.storage.tests.unit.module_utils.core import inventory_cases as cases

HOLDER = {
    "user": "anna", "controller": "desk", "machine": "m1", "boot": "b1", "pid": 1, "started": "1", "namespace": "n1",
    "command": "site.yml", "since": "2026-01-01T00:00:00+00:00",
}  # fmt: skip
PLATFORM = {
    "distribution": "debian", "version": "13", "architecture": "x86_64", "systemd": True, "root": True,
    "memory_mib": 9000, "disk_mib": 90000, "security_suite": True, "hostname": "b",
}  # fmt: skip
_LINK: dict[str, Any] = {
    "kind": None, "master": None, "mtu": 1500, "up": True, "carrier": True, "addresses": [], "routes": [],
    "parent": None, "vlan": None, "file": None,
}  # fmt: skip
_PLUGINS = "ansible_collections.holdfast.storage.plugins.action"


@cache
def model_of(case: str) -> Model:
    """The model of a good inventory of tests/cases/inventory."""
    model, findings = cases.build(cases.raw(cases.good(case)))
    assert model, findings
    return model


@cache
def secrets_of(case: str) -> dict[str, Any]:
    """Secrets for it, as a first run makes them."""
    return secrets.complete({}, {**known_secrets(), **secret_store.named_by(model_of(case))})


@cache
def deployment_of(case: str) -> Deployment:
    """The deployment, as an action finds it."""
    return Deployment.of(model_of(case), secrets_of(case))


@cache
def _bare(case: str, name: str) -> str:
    deployment = deployment_of(case)
    host = deployment.model.hosts[name]
    asked = planning.questions(ORDER, deployment.model, host, deployment.services, deployment.secrets)
    nowhere: Any = rendering.Nowhere()
    found = {step.name: step.module.read(nowhere, one) for step, one in asked if step.phase != "preflight"}
    found["networks/network"]["links"] = {port["interface"]: _LINK for port in host.ports.values()}
    return json.dumps({"preflight/platform": {**PLATFORM, "hostname": name}, **found})


class Loaders:
    """Where actions find one another: Ansible's own finds a collection's only in a run."""

    def find_plugin(self, name: str, **_: Any) -> str | None:
        kind = name.removeprefix("holdfast.storage.")
        return kind if importlib.util.find_spec(f"{_PLUGINS}.{kind}") else None

    def get(self, name: str, **given: Any) -> Any:
        return importlib.import_module(f"{_PLUGINS}.{name.removeprefix('holdfast.storage.')}").ActionModule(**given)


class Controller:
    """Runs actions. ``answers`` are what modules answer, by name; ``ran`` is what was asked of them, in order."""

    def __init__(self, directory: Path, case: str) -> None:
        self.directory = directory
        self.case = case
        self.loader = DataLoader()
        self.loader.set_basedir(str(directory))
        vault: Any = VaultSecret(b"a password for tests")
        self.loader.set_vault_secrets([("default", vault)])
        self.variables: dict[str, Any] = {"inventory_dir": str(directory)}
        self.answers: dict[str, dict[str, Any]] = {}
        self.ran: list[tuple[str, dict[str, Any]]] = []
        self.run_directory = RunDirectory(directory / ".holdfast")

    def begin(self) -> Deployment:
        """Leave what the action ``model`` leaves, and secrets in the vault file."""
        secret_store.save(self.loader, self.directory, secrets_of(self.case))
        self.run_directory.write("model.json", model_of(self.case).as_dict())
        self.run_directory.write("sealed.json", "")
        self.run_directory.write("lock.json", {"host": sorted(model_of(self.case).hosts)[0], "holder": HOLDER})
        return deployment_of(self.case)

    def probed(self, *hosts: str, **more: Any) -> None:
        """Leave what the probe of bare hosts leaves. ``more``: steps, with ``__`` for the slash."""
        known = {name.replace("__", "/"): answer for name, answer in more.items()}
        for name in hosts:
            self.run_directory.write(f"probe/{name}.json", {**json.loads(_bare(self.case, name)), **known})
        self.variables["ansible_play_hosts"] = list(hosts)

    def planned(self, host: str, **steps: list[str]) -> None:
        """Leave a plan: by step, with ``__`` for the slash, what is created."""
        changes = {
            name.replace("__", "/"): [
                {"subject": one, "action": "create", "before": "", "after": "new"} for one in subjects
            ]
            for name, subjects in steps.items()
        }
        self.run_directory.write("plan.json", {"hosts": {host: {"phases": [], "steps": changes}}, "findings": []})

    def inventory(self, **more: Any) -> None:
        """Have the variables of Ansible's inventory: the case as it is written, and ``more`` of all hosts."""
        content = cases.good(self.case)
        manager = InventoryManager(loader=self.loader, sources=[], parse=False)
        for name, own in content["hosts"].items():
            manager.add_host(name)
            for key, value in {**content["vars"], **more, **(own or {})}.items():
                manager.hosts[name].set_variable(key, copy.deepcopy(value))
        for group, members in content["groups"].items():
            manager.add_group(group)
            for name in members:
                manager._inventory.add_child(group, name)
        manager.reconcile_inventory()
        variables = VariableManager(loader=self.loader, inventory=manager)
        hostvars = HostVars(manager, variables, self.loader)
        self.variables |= {"hostvars": hostvars, "groups": manager.get_groups_dict()}

    def action(self, name: str, host: str = "control1", /, *, check: bool = False, **options: Any) -> Any:
        """An action, ready to run for a host, which is this machine."""
        task = Task()
        task.action, task.args, task.check_mode = f"holdfast.storage.{name}", options, check
        context = PlayContext()
        variables = {**self.variables, "inventory_hostname": host}
        made = importlib.import_module(f"{_PLUGINS}.{name}").ActionModule(
            task=task,
            connection=connection_loader.get("local", context, "/dev/null"),
            play_context=context,
            loader=self.loader,
            templar=Templar(loader=self.loader, variables=variables),
        )
        made._shared_loader_obj = SimpleNamespace(action_loader=Loaders())
        return made

    def act(self, name: str, host: str = "control1", /, *, check: bool = False, **options: Any) -> dict[str, Any]:
        """What an action returns for a host."""
        made = self.action(name, host, check=check, **options)
        result: dict[str, Any] = made.run(task_vars={**self.variables, "inventory_hostname": host})
        return result

    def execute_module(self, _: Any, module_name: str = "", module_args: Any = None, **__: Any) -> dict[str, Any]:
        """In the place of a module on a host."""
        name = module_name.removeprefix("holdfast.storage.")
        self.ran.append((name, copy.deepcopy(module_args)))
        return copy.deepcopy(self.answers.get(name, {"changed": True, "actions": [f"did {name}"], "diff": []}))


@pytest.fixture
def controller(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Controller:
    """A controller with an inventory of its own; another than the lab's by indirect parameter."""
    made = Controller(tmp_path, getattr(request, "param", "lab"))
    monkeypatch.setattr(
        "ansible.plugins.action.ActionBase._execute_module", lambda *a, **k: made.execute_module(*a, **k)
    )
    return made
