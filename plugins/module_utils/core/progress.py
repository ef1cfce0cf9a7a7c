# SPDX-License-Identifier: Apache-2.0
"""What a run of a playbook shows and leaves behind: phases, results, times, and readable text for people.

Text is made of lines, and a line of spans ``(style, text)``. A style is a meaning (``error``, ``advice``, ``ok``,
``changed``, ``muted``, ``strong``, ``add``, ``remove``), never a colour: the screen decides about colours.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import counted

Span = tuple[str, str]
Line = tuple[Span, ...]

STATUSES = ("ok", "changed", "skipped", "failed", "ignored", "unreachable")
WIDTH = 100


@dataclass
class Phase:
    """One play that had hosts. ``seconds`` is None while it runs."""

    name: str
    started: float
    hosts: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    seconds: float | None = None


@dataclass
class Task:
    """One task on all its hosts: ``begun`` holds the hosts that work on it, with the time at which they began."""

    name: str
    phase: str
    first: float
    last: float
    begun: dict[str, float] = field(default_factory=dict)
    note: dict[str, str] = field(default_factory=dict)


class Record:
    """The account of one run. Times are seconds of a monotonic clock, given by the caller."""

    def __init__(self, playbook: str, now: float) -> None:
        self.playbook = playbook
        self.started = now
        self.phases: list[Phase] = []
        self.tasks: dict[str, Task] = {}
        self.hosts: dict[str, dict[str, int]] = {}

    @property
    def phase(self) -> Phase | None:
        return self.phases[-1] if self.phases and self.phases[-1].seconds is None else None

    def begin_phase(self, name: str, now: float) -> None:
        self.end_phase(now)
        self.phases.append(Phase(name, now))

    def end_phase(self, now: float) -> Phase | None:
        """Close the running phase and return it; None when there is none."""
        phase = self.phase
        if phase:
            phase.seconds = now - phase.started
        return phase

    def begin(self, identity: str, name: str, host: str, now: float) -> None:
        """``host`` starts to work on the task ``identity``."""
        phase = self.phase.name if self.phase else ""
        task = self.tasks.setdefault(identity, Task(name, phase, now, now))
        task.begun[host] = now

    def note(self, identity: str, host: str, text: str) -> None:
        """What is worth knowing about a task that still runs, such as an attempt's number."""
        if identity in self.tasks:
            self.tasks[identity].note[host] = text

    def end(self, identity: str, host: str, status: str, now: float) -> float:
        """``host`` gave a result. Every result counts, a skipped one too: each costs a fork. Returns its seconds."""
        counts = self.hosts.setdefault(host, dict.fromkeys((*STATUSES, "results"), 0))
        counts[status] += 1
        counts["results"] += 1
        if self.phase:
            self.phase.hosts.add(host)
            self.phase.counts[status] += 1
        task = self.tasks.get(identity)
        if task is None:
            return 0.0
        task.last = now
        task.note.pop(host, None)
        return now - task.begun.pop(host, now)

    def busy(self) -> list[tuple[str, str, float, str]]:
        """``(host, task, since, note)`` of what runs now, the longest first. Any thread may ask."""
        rows = [
            (host, task.name, since, task.note.get(host, ""))
            for task in list(self.tasks.values())
            for host, since in list(task.begun.items())
        ]
        return sorted(rows, key=lambda row: (row[2], row[0]))

    @property
    def failed(self) -> bool:
        return any(counts["failed"] or counts["unreachable"] for counts in self.hosts.values())

    def slowest(self, count: int = 5) -> list[dict[str, Any]]:
        """The tasks that took longest, from the first host's start to the last host's result."""
        longest = sorted(self.tasks.values(), key=lambda task: task.first - task.last)[:count]
        return [
            {"task": task.name, "phase": task.phase, "seconds": round(task.last - task.first, 3)} for task in longest
        ]

    def summary(self, now: float) -> dict[str, Any]:
        """The run for machines: bench and report read it."""
        return {
            "playbook": self.playbook,
            "ok": not self.failed,
            "seconds": round(now - self.started, 3),
            "phases": [
                {
                    "name": phase.name,
                    "seconds": round(now - phase.started if phase.seconds is None else phase.seconds, 3),
                    "hosts": len(phase.hosts),
                    "changed": phase.counts["changed"],
                }
                for phase in self.phases
            ],
            "hosts": {host: dict(counts) for host, counts in sorted(self.hosts.items())},
            "slowest": self.slowest(),
        }


def duration(seconds: float) -> str:
    """A time as people read it: ``0.4 s``, ``12 s``, ``3 min 05 s``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def tally(phase: Phase) -> str:
    """A phase's results in one phrase: ``4 hosts, 3 changed, 1 failed``."""
    count = len(phase.hosts)
    words = [counted(count, "host")]
    shown = ("changed", "ignored", "failed", "unreachable")
    words += [f"{phase.counts[name]} {name}" for name in shown if phase.counts[name]]
    return ", ".join(words)


def finding_lines(findings: Iterable[Mapping[str, Any]], indent: str = "") -> list[Line]:
    """Findings, errors first, a line each, so that a search for any part of one finds all of it."""
    lines: list[Line] = []
    for finding in sorted(findings, key=lambda finding: finding.get("severity") != "error"):
        severity = str(finding.get("severity", "error"))
        fix = f" Fix: {finding['fix']}" if finding.get("fix") else ""
        lines.append(
            (
                ("", indent),
                ("error" if severity == "error" else "advice", severity),
                ("strong", f": {finding.get('where', '')}"),
                ("", f": {finding.get('what', '')}"),
                ("ok", fix),
                ("muted", f" [{finding.get('code', '')}]"),
            )
        )
    return lines


def diff_lines(diffs: Any, indent: str = "", context: int = 3) -> list[Line]:
    """Ansible's diff values as text: for each thing its name, then removed and added lines."""
    lines: list[Line] = []
    for diff in diffs if isinstance(diffs, list) else [diffs]:
        if not isinstance(diff, Mapping):
            continue
        if "prepared" in diff:
            lines += [_diff_line(line, indent) for line in str(diff["prepared"]).splitlines()]
        if "before" in diff and "after" in diff:
            before, after = (_diff_text(diff[side]).splitlines() for side in ("before", "after"))
            body = list(difflib.unified_diff(before, after, n=context, lineterm=""))[2:]
            if sum(line.startswith("@@") for line in body) == 1:
                body = body[1:]
            header = str(diff.get("after_header") or diff.get("before_header") or "")
            if header and (body or before == after):
                lines.append((("strong", f"{indent}{header}"),))
            lines += [_diff_line(line, indent + "  ") for line in body]
        for key in ("src_binary", "dst_binary", "src_larger", "dst_larger"):
            if key in diff:
                lines.append((("muted", f"{indent}the content is too large or binary: not shown"),))
                break
    return lines


def _diff_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {value[key]}" for key in sorted(value))
    return "" if value is None else str(value)


def _diff_line(line: str, indent: str) -> Line:
    style = {"+": "add", "-": "remove", "@": "muted"}.get(line[:1], "")
    return ((style, f"{indent}{line}"),)


def _wrap(text: str, indent: str) -> list[str]:
    lines = []
    for line in text.splitlines() or [""]:
        lines += textwrap.wrap(
            line, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        ) or [indent]
    return lines


def text_lines(text: str, indent: str = "", style: str = "") -> list[Line]:
    """A message of several lines, each indented and wrapped."""
    return [((style, line),) for line in _wrap(text.strip("\n"), indent)]


def action_text(actions: Sequence[str], room: int = 4) -> str:
    """What a result did, in one line: the first few actions, and how many more."""
    shown = "; ".join(str(action) for action in actions[:room])
    return shown + (f"; and {len(actions) - room} more" if len(actions) > room else "")


def recap_lines(record: Record, now: float, log: str | None, room: int = 30) -> list[Line]:
    """The end of a run: phases with times, results per host, slowest tasks, and where the log is.

    With more than ``room`` hosts only those that failed are named, and the rest are one line.
    """
    lines: list[Line] = [(("", ""),)]
    if record.phases:
        wide = max(12, *(len(phase.name) for phase in record.phases))
        lines.append((("strong", f"{'Phases':<{wide + 2}}  {'time':>10}  hosts  changed"),))
        for phase in record.phases:
            seconds = now - phase.started if phase.seconds is None else phase.seconds
            bad, changed = phase.counts["failed"] + phase.counts["unreachable"], phase.counts["changed"]
            text = f"  {phase.name:<{wide}}  {duration(seconds):>10}  {len(phase.hosts):>5}  {changed:>7}"
            lines.append((("error" if bad else "", text), ("error", f"  {bad} failed" if bad else "")))
    lines += _host_lines(record, room)
    slow = [row for row in record.slowest() if row["seconds"] >= 0.05]
    if slow:
        lines.append((("strong", "Slowest tasks"),))
        lines += [
            (("", f"  {duration(row['seconds']):>10}  "), ("muted", f"{row['phase']}: "), ("", str(row["task"])))
            for row in slow
        ]
    results = [counts["results"] for counts in record.hosts.values()]
    took = duration(now - record.started)
    total = f"{counted(sum(results), 'task result')}, at most {max(results, default=0)} on a host, in {took}."
    verdict: Span = ("error", "Failed. ") if record.failed else ("ok", "Done. ")
    lines.append((verdict, ("", total), ("muted", f" Log: {log}" if log else "")))
    return lines


def _host_lines(record: Record, room: int) -> list[Line]:
    if not record.hosts:
        return []
    shown = dict(sorted(record.hosts.items()))
    if len(shown) > room:
        shown = {host: counts for host, counts in shown.items() if counts["failed"] or counts["unreachable"]}
    wide = max(12, *(len(host) for host in shown or [""]))
    ignored = any(counts["ignored"] for counts in record.hosts.values())
    columns = [name for name in (*STATUSES, "results") if name != "ignored" or ignored]
    titles = "  ".join(f"{name:>{max(7, len(name))}}" for name in columns)
    lines: list[Line] = [(("strong", f"{'Hosts':<{wide + 2}}  {titles}"),)]
    for host, counts in shown.items():
        bad = counts["failed"] or counts["unreachable"]
        style = "error" if bad else "changed" if counts["changed"] else "ok"
        cells = "  ".join(f"{counts[name]:>{max(7, len(name))}}" for name in columns)
        lines.append(((style, f"  {host:<{wide}}"), ("", f"  {cells}")))
    others = [counts for host, counts in record.hosts.items() if host not in shown]
    if others:
        changed = sum(1 for counts in others if counts["changed"])
        lines.append((("ok", f"  {len(others)} other hosts without a failure"), ("", f", {changed} of them changed")))
    return lines
