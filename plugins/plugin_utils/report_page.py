# SPDX-License-Identifier: Apache-2.0
"""The report as a file, from what runs left behind."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ansible_collections.holdfast.storage.plugins.module_utils.controller.deployment import (
    COLLECTION,
    RunDirectory,
)
from ansible_collections.holdfast.storage.plugins.module_utils.core.verify import proof, report
from ansible_collections.holdfast.storage.plugins.plugin_utils.client_files import write

PAGE, STORIES = "report.html", "verify.json"


def write_page(run: RunDirectory, artifacts: Path) -> bool:
    """Write report.html from the model, the last verification, the last probe and plan, and the logs."""
    entries: Sequence[Mapping[str, Any]] = _json(artifacts / STORIES) or []
    counted = _json(run.path / "verify" / "proof.json") or {}
    plan = _json(run.path / "plan.json") or {}
    model = run.model()
    page = report.view(
        model=model,
        entries=entries,
        counted=counted,
        totals=proof.deployment_bytes(counted, model),
        runs=_runs(Path(os.environ.get("HOLDFAST_LOG_DIR") or artifacts / "log")),
        versions=_versions(run.answers(model.hosts)),
        findings=[*(_json(run.path / "findings.json") or []), *plan.get("findings", [])],
        written=datetime.now().astimezone().strftime("%d %B %Y, %H:%M %Z"),
    )
    return write(artifacts / PAGE, render(page), 0o644)


def render(page: Mapping[str, Any]) -> str:
    """The page as HTML. Everything in it is escaped."""
    templates = FileSystemLoader(COLLECTION / "roles" / "verify" / "templates")
    environment = Environment(
        loader=templates, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    return environment.get_template("report.html.j2").render(page)


def _runs(directory: Path) -> list[Mapping[str, Any]]:
    """The last deployment that changed something, else the last one, and the last verification."""
    site = [
        summary for path in sorted(directory.glob("*-site.json")) if (summary := _json(path)) and not summary["check"]
    ]
    changed = [summary for summary in site if any(phase["changed"] for phase in summary["phases"])]
    verify = [summary for path in sorted(directory.glob("*-verify.json"))[-1:] if (summary := _json(path))]
    return [*(changed or site)[-1:], *verify]


def _versions(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    return {host: answer.get("packages/package", {}).get("installed", {}) for host, answer in answers.items()}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
