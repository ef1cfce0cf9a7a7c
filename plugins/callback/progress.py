# SPDX-License-Identifier: Apache-2.0
"""Shows a run by its phases: live on a terminal, in plain lines elsewhere; logs every result."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812 - as everywhere in Ansible
from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase
from ansible.utils import color

from ansible_collections.holdfast.storage.plugins.module_utils.core import progress

# Ansible forks a process for each task and host from this one: what is imported here, those need not import each.
from ansible_collections.holdfast.storage.plugins.plugin_utils import deployment_action  # noqa: F401

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: Phases, hosts and elapsed time instead of a wall of results
version_added: "0.1.0"
author: Holdfast contributors
description:
  - On a terminal it shows the running phase, what each busy host does, and the elapsed time, and above them a line
    for each phase that ended, for each change and for each failure. Elsewhere, as in CI, it prints plain lines.
  - A result with C(findings) is shown as a list of problems with their fixes, one with C(actions) or C(diff) by what
    it changes.
  - Every result is written to a log file, and the run's phases, counts and times to a JSON file beside it. Results
    that Ansible censors (C(no_log)) stay censored.
  - A phase is a play. What a play includes in a loop whose C(loop_var) is C(holdfast_phase) are phases of their own,
    by the C(name) in each item.
requirements:
  - Set as C(stdout_callback) in the configuration.
  - The Python library rich for the live view; without it, plain lines.
options:
  log_dir:
    description:
      - Directory for the logs, made when missing.
      - When it is not set, C(log) in the directory that the inventory's variable C(holdfast_artifacts_dir) names, or
        else C(.holdfast/log) beside the inventory.
    type: path
    env:
      - name: HOLDFAST_LOG_DIR
    ini:
      - section: callback_progress
        key: log_dir
  log:
    description: Whether to write a log and a summary.
    type: bool
    default: true
    env:
      - name: HOLDFAST_LOG
    ini:
      - section: callback_progress
        key: log
  live:
    description: Whether to show the live view where standard output is a terminal.
    type: bool
    default: true
    env:
      - name: HOLDFAST_LIVE
    ini:
      - section: callback_progress
        key: live
"""

COLOURS = {
    "error": "COLOR_ERROR",
    "advice": "COLOR_WARN",
    "ok": "COLOR_OK",
    "changed": "COLOR_CHANGED",
    "muted": "COLOR_DIFF_LINES",
    "add": "COLOR_DIFF_ADD",
    "remove": "COLOR_DIFF_REMOVE",
}
INTERNAL = ("_ansible", "invocation")
PROMPTS = ("pause", "ansible.builtin.pause", "ansible.legacy.pause")


class CallbackModule(CallbackBase):
    """Turns Ansible's events into a Record, and a Record into text."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "holdfast.storage.progress"

    def __init__(self) -> None:
        super().__init__()
        self.record = progress.Record("", time.monotonic())
        self.live: LiveView | None = None
        self.log: Log | None = None
        self.play: Any = None
        self.announced = ""
        self.plays = 0
        self.diffs: dict[tuple[str, str], list[Any]] = {}

    # Plays and tasks

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self.plays += len(playbook.get_plays())
        if not self.record.playbook:
            self.record = progress.Record(Path(playbook._file_name).stem, time.monotonic())
            if self.get_option("live") and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
                self.live = LiveView.start(self.record)

    def v2_playbook_on_vars_prompt(self, *_prompt: Any, **_details: Any) -> None:
        self._pause()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """A phase is announced with its first task: a play over an empty group is not worth a line."""
        self._end_phase()
        self.play = play
        self.announced = ""
        if self.log is None and self.get_option("log"):
            self.log = Log.open(self._log_directory(play), self.record.playbook)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._begin_task(task)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._begin_task(task)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self.record.begin(task._uuid, _name(task), host.get_name(), time.monotonic())

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        self._say((("error", "No host is left: the run ends here."),))

    # Results

    def v2_runner_on_ok(self, result: Any) -> None:
        status = "changed" if result.is_changed() else "ok"
        self._show(result, status)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._show(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._show(result, "skipped")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._show(result, "unreachable")

    def v2_runner_item_on_failed(self, result: Any) -> None:
        item = self._get_item_label(result.result)
        self._say(*self._outcome(result, "failed", f"item {item}"))

    def v2_runner_retry(self, result: Any) -> None:
        value = result.result
        note = f"attempt {value.get('attempts', 0) + 1} of {value.get('retries', 0)}"
        self.record.note(result.task._uuid, result.host.get_name(), note)
        if self._display.verbosity:
            self._say((("muted", f"    {result.host.get_name()}  {_name(result.task)}: {note}"),))

    def v2_on_file_diff(self, result: Any) -> None:
        """Comes before the result itself, and only when diffs are wanted."""
        value = result.result
        items = [item for item in value.get("results", []) if isinstance(item, dict) and item.get("changed")]
        found = [item.get("diff") for item in items or [value]]
        flat = [diff for entry in found if entry for diff in (entry if isinstance(entry, list) else [entry])]
        self.diffs[result.task._uuid, result.host.get_name()] = flat

    def v2_playbook_on_stats(self, stats: Any) -> None:
        now = time.monotonic()
        self._end_phase()
        self._pause()
        self.live = None
        where = str(self.log.path) if self.log and self.log.stands else None
        for line in progress.recap_lines(self.record, now, where):
            self._say(line)
        if self.log:
            self.log.close({**self.record.summary(now), "check": bool(context.CLIARGS.get("check")), "log": where})

    # Helpers

    def _begin_task(self, task: Any) -> None:
        phase = _phase(task) or self.play.get_name()
        if phase != self.announced:
            self._end_phase()
            self.announced = phase
            self.record.begin_phase(phase, time.monotonic())
            if self.live is None:
                self._say((("muted", f"[{self._elapsed():>7}] "), ("strong", phase)))
        if self.live:
            if task.action in PROMPTS:
                self.live.pause()
            else:
                self.live.resume()

    def _end_phase(self) -> None:
        phase = self.record.end_phase(time.monotonic())
        if phase is None:
            return
        bad = phase.counts["failed"] + phase.counts["unreachable"]
        style, mark = ("error", "failed") if bad else ("ok", "done")
        self._say(
            (
                ("muted", f"[{self._elapsed():>7}] "),
                (style, f"{phase.name}: {mark}"),
                ("", f", {progress.tally(phase)}"),
                ("muted", f", {progress.duration(phase.seconds or 0)}"),
            )
        )

    def _elapsed(self) -> str:
        whole = int(time.monotonic() - self.record.started)
        return f"{whole // 60}:{whole % 60:02d}"

    def _show(self, result: Any, status: str) -> None:
        host = result.host.get_name()
        seconds = self.record.end(result.task._uuid, host, status, time.monotonic())
        if self.log:
            self.log.result(result, status, seconds, verbose=self._display.verbosity > 2)
        self._handle_warnings(result.result)
        lines = self._outcome(result, status)
        if lines:
            self._say(*lines)

    def _outcome(self, result: Any, status: str, item: str = "") -> list[progress.Line]:
        """The lines of one result; none for one that is as expected, unless asked for by -v."""
        value = result.result
        host, task = self.host_label(result), _name(result.task)
        diff = self.diffs.pop((result.task._uuid, result.host.get_name()), [])
        bad = status in ("failed", "unreachable", "ignored")
        message = str(value.get("msg") or "") if not value.get("_ansible_no_log") else ""
        debug = result.task.action in C._ACTION_DEBUG
        spoken = "\n" in message or bool(debug and message)
        verbose = self._display.verbosity > 0 or (debug and not message)
        if not (bad or diff or value.get("findings") or spoken or status == "changed" or verbose):
            return []

        style = {"failed": "error", "unreachable": "error", "ignored": "advice", "skipped": "muted"}.get(status, status)
        head: progress.Line = ((style, f"    {status:<8}"), ("strong", f" {host}"), ("", f"  {task}"))
        if item:
            head += (("", f" ({item})"),)
        actions = value.get("actions")
        if isinstance(actions, list) and actions and not diff:
            head += (("muted", f": {progress.action_text(actions)}"),)
        lines = [head]
        findings = value.get("findings")
        if isinstance(findings, list) and findings:
            lines += progress.finding_lines(findings, "      ")
        elif message and (bad or spoken):
            lines += progress.text_lines(message, "      ")
        if bad:
            lines += self._circumstances(result)
        lines += progress.diff_lines(diff, "      ", C.config.get_config_value("DIFF_CONTEXT"))
        if verbose:
            if bad:
                self._handle_exception(value)
            self._clean_results(value, result.task.action)
            lines += progress.text_lines(self._dump_results(value, indent=2), "      ", "muted")
        return lines

    def _circumstances(self, result: Any) -> list[progress.Line]:
        """What a failed command printed, and where the task stands; a finding needs neither."""
        value = result.result
        if value.get("findings") or value.get("_ansible_no_log"):
            return []
        lines: list[progress.Line] = []
        for key in ("stderr", "stdout", "module_stderr", "module_stdout"):
            text = str(value.get(key) or "").strip()
            if text and text not in str(value.get("msg", "")):
                lines += progress.text_lines(f"{key}: " + "\n".join(text.splitlines()[-15:]), "      ", "muted")
        path = result.task.get_path()
        if path:
            lines.append((("muted", f"      at {path}"),))
        return lines

    def _say(self, *lines: progress.Line) -> None:
        text = "\n".join("".join(self._paint(style, part) for style, part in line) for line in lines)
        self._display.display(text)

    @staticmethod
    def _paint(style: str, text: str) -> str:
        if not (style and text):
            return text
        if style == "strong":
            return f"\033[1m{text}\033[0m" if color.ANSIBLE_COLOR else text
        return str(color.stringc(text, getattr(C, COLOURS[style])))

    def _pause(self) -> None:
        if self.live:
            self.live.pause()

    def _log_directory(self, play: Any) -> Path:
        """Where logs go: the option, the inventory's artifacts directory, or beside the inventory."""
        chosen = self.get_option("log_dir")
        if chosen:
            return Path(chosen)
        manager = play.get_variable_manager()
        hosts = manager._inventory.get_hosts(ignore_limits=True, ignore_restrictions=True)
        if hosts:
            from ansible.template import Templar

            # What is wrong with variables is told by the play, which needs them too.
            with contextlib.suppress(AnsibleError, OSError, RecursionError):
                variables = manager.get_vars(play=play, host=hosts[0])
                if variables.get("holdfast_artifacts_dir"):
                    templar = Templar(loader=play.get_loader(), variables=variables)
                    return Path(str(templar.template(variables["holdfast_artifacts_dir"]))).resolve() / "log"
        sources = [Path(source) for source in context.CLIARGS.get("inventory") or () if os.path.exists(source)]
        place = sources[0] if sources else Path.cwd()
        return (place if place.is_dir() else place.parent) / ".holdfast" / "log"


class Log:
    """A run's log, one line a result, and its summary. Only the owner may read them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8")

    @classmethod
    def open(cls, directory: Path, playbook: str) -> Log:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        stamp = time.strftime("%Y%m%dT%H%M%S")
        path = directory / f"{stamp}-{playbook}.log"
        return cls(path.with_stem(f"{path.stem}-{os.getpid()}") if path.exists() else path)

    def result(self, result: Any, status: str, seconds: float, *, verbose: bool) -> None:
        """Internal keys are left out, and the arguments of the module unless ``verbose``."""
        hidden = INTERNAL[:1] if verbose else INTERNAL
        shown = _without(result.result, hidden)
        if isinstance(shown.get("results"), list):
            shown["results"] = [_without(item, hidden) if isinstance(item, dict) else item for item in shown["results"]]
        head = f"{time.strftime('%H:%M:%S')} {status:<11} {result.host.get_name()} {_name(result.task)}"
        self.stream.write(f"{head} ({seconds:.2f} s) {json.dumps(shown, default=str, ensure_ascii=False)}\n")
        self.stream.flush()

    @property
    def stands(self) -> bool:
        """False when the run removed its own log, as taking a lab down does."""
        return self.path.exists()

    def close(self, summary: dict[str, Any]) -> None:
        self.stream.close()
        if not self.stands:
            return
        target = os.open(self.path.with_suffix(".json"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(target, "w", encoding="utf-8") as stream:
            json.dump(summary, stream, indent=1)


def _name(task: Any) -> str:
    """A task's own name, without its role's."""
    return str(task.name or task.get_name())


def _phase(task: Any) -> str:
    """The phase of a task that was included in a loop; empty for one of the play itself."""
    return str((task.get_vars().get("holdfast_phase") or {}).get("name") or "")


def _without(value: Any, prefixes: tuple[str, ...]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if not key.startswith(prefixes)}


class LiveView:
    """The lines at the bottom of a terminal: the phase, the busy hosts, the totals. Drawn four times a second.

    The drawing thread and a fork exclude each other: a worker must not inherit a lock that nobody will release.
    """

    ROWS = 8

    def __init__(self, record: progress.Record, live: Any, spinner: Any) -> None:
        self.record = record
        self.live = live
        self.spinner = spinner
        self.lock = threading.Lock()
        self.shown = False

    @classmethod
    def start(cls, record: progress.Record) -> LiveView | None:
        try:
            from rich.console import Console
            from rich.live import Live
            from rich.spinner import Spinner
        except ImportError:
            return None
        console = Console(highlight=False, soft_wrap=True)
        live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=True, redirect_stderr=True)
        view = cls(record, live, Spinner("dots", style="cyan"))
        lock = view.lock
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
        atexit.register(view.pause)
        threading.Thread(target=view._draw_always, daemon=True).start()
        return view

    def pause(self) -> None:
        """Clear the view and give the terminal back, for a prompt or at the end."""
        with self.lock:
            if self.shown:
                self.shown = False
                self.live.stop()

    def resume(self) -> None:
        with self.lock:
            if not self.shown:
                self.shown = True
                self.live.start()

    def _draw_always(self) -> None:
        while True:
            time.sleep(0.25)
            with self.lock:
                if self.shown:
                    self.live.update(self._picture(), refresh=True)

    def _picture(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        now = time.monotonic()
        phase = self.record.phase
        busy = self.record.busy()
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(style="dim", no_wrap=True, justify="right")
        for host, task, since, note in busy[: self.ROWS]:
            table.add_row(f"    {host}", f"{task}  {note}" if note else task, progress.duration(now - since))
        if len(busy) > self.ROWS:
            table.add_row("", f"and {len(busy) - self.ROWS} more hosts", "")
        whole = int(now - self.record.started)
        head = Text.assemble(
            (f"[{whole // 60:>4}:{whole % 60:02d}] ", "dim"),
            (phase.name if phase else self.record.playbook, "bold cyan"),
            (f"  {progress.tally(phase)}" if phase and phase.hosts else "", ""),
            (f"  {progress.duration(now - phase.started)}" if phase else "", "dim"),
        )
        self.spinner.update(text=head)
        return Group(self.spinner, table)
