# SPDX-License-Identifier: Apache-2.0
from ansible_collections.holdfast.storage.plugins.module_utils.core import progress


def text(lines):
    return "\n".join("".join(part for _, part in line) for line in lines)


def a_run():
    record = progress.Record("site", 100.0)
    record.begin_phase("Plan", 100.0)
    for host in ("storage1", "storage2"):
        record.begin("t1", "Read the host", host, 100.0)
        record.end("t1", host, "ok", 101.5)
    record.begin_phase("Networks", 102.0)
    record.begin("t2", "Converge networks", "storage1", 102.0)
    record.end("t2", "storage1", "changed", 105.0)
    record.begin("t3", "Optional", "storage1", 105.0)
    record.end("t3", "storage1", "skipped", 105.1)
    record.begin("t4", "Check", "storage2", 105.0)
    return record


def test_executed_and_skipped_results_both_count():
    summary = a_run().summary(106.0)
    assert summary["hosts"]["storage1"] == {
        "ok": 1,
        "changed": 1,
        "skipped": 1,
        "failed": 0,
        "ignored": 0,
        "unreachable": 0,
        "results": 3,
    }
    assert summary["hosts"]["storage2"]["results"] == 1
    assert summary["seconds"] == 6.0
    assert summary["ok"] is True


def test_a_phase_lasts_until_the_next_begins_and_the_last_until_now():
    phases = a_run().summary(106.0)["phases"]
    assert [(phase["name"], phase["seconds"], phase["hosts"]) for phase in phases] == [
        ("Plan", 2.0, 2),
        ("Networks", 4.0, 1),
    ]


def test_slowest_tasks_count_from_the_first_start_to_the_last_result():
    record = a_run()
    assert [row["task"] for row in record.slowest(2)] == ["Converge networks", "Read the host"]
    assert record.slowest(1)[0] == {"task": "Converge networks", "phase": "Networks", "seconds": 3.0}


def test_busy_hosts_are_those_without_a_result_with_their_last_note():
    record = a_run()
    record.note("t4", "storage2", "attempt 2 of 5")
    assert record.busy() == [("storage2", "Check", 105.0, "attempt 2 of 5")]
    record.end("t4", "storage2", "failed", 106.0)
    assert record.busy() == []
    assert record.failed


def test_a_recap_of_many_hosts_names_those_that_failed_only():
    record = progress.Record("site", 0.0)
    record.begin_phase("Plan", 0.0)
    for number in range(200):
        record.end("t", f"host{number}", "failed" if number == 77 else "changed" if number < 3 else "ok", 1.0)
    shown = text(progress.recap_lines(record, 2.0, "/tmp/a.log"))
    assert "host77" in shown
    assert "host78" not in shown
    assert "199 other hosts without a failure, 3 of them changed" in shown
    assert "200 task results, at most 1 on a host" in shown
    assert "/tmp/a.log" in shown


def test_findings_are_a_line_each_errors_first():
    findings = [
        {"severity": "advice", "code": "a.b", "where": "here", "what": "Weak.", "fix": "Do it."},
        {"severity": "error", "code": "c.d", "where": "there", "what": "Wrong " * 30 + ".", "fix": "Change it."},
    ]
    lines = text(progress.finding_lines(findings, "  ")).splitlines()
    assert lines == [
        f"  error: there: {'Wrong ' * 30}. Fix: Change it. [c.d]",
        "  advice: here: Weak. Fix: Do it. [a.b]",
    ]


def test_a_diff_shows_what_goes_and_what_comes_under_the_name_of_the_thing():
    diff = [{"before_header": "x", "after_header": "a.conf (update)", "before": "one\ntwo\n", "after": "one\n2\n"}]
    assert text(progress.diff_lines(diff)).splitlines() == ["a.conf (update)", "   one", "  -two", "  +2"]


def test_a_diff_of_mappings_and_of_nothing():
    diff = {"before": None, "after": {"mode": "0640"}}
    assert text(progress.diff_lines(diff)) == "  +mode: 0640"
    assert progress.diff_lines([{"prepared": "--- a\n+++ b\n"}])[0] == (("remove", "--- a"),)
    assert progress.diff_lines([{}, "text"]) == []


def test_durations_and_actions_are_short():
    assert [progress.duration(value) for value in (0.04, 9.94, 9.96, 59.4, 59.6, 185)] == [
        "0.0 s",
        "9.9 s",
        "10 s",
        "59 s",
        "1 min 00 s",
        "3 min 05 s",
    ]
    assert progress.action_text(list("abcdef")) == "a; b; c; d; and 2 more"
