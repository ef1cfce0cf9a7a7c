# SPDX-License-Identifier: Apache-2.0
"""The page of all findings has every code that the source uses, with what it says and the fix."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))
import finding_codes  # noqa: E402
import findings_page  # noqa: E402

PAGE = (ROOT / "docs/reference/findings.md").read_text()
HEADINGS = re.findall(r"^### (.*)$", PAGE, re.M)
CODES = [re.sub(r"\\(.)", r"\1", heading).replace("&lt;", "<").replace("&gt;", ">") for heading in HEADINGS]
# Another way than that of the module: codes in the source as a person looks for them.
WRITTEN = re.compile(
    r"""(?:error|advice|Finding|HostProblem|Conflict|Problem)\(\s*(?:"\w+",\s*)?"([a-z_]+\.[\w-]+)","""
)


def is_there(code: str) -> bool:
    return any(findings_page.matches(known, code) for known in CODES)


def section(code: str) -> str:
    return PAGE.partition(f"\n### {code}\n")[2].partition("\n### ")[0]


def test_codes_that_the_source_uses_are_on_the_page() -> None:
    used = {code for path in (ROOT / "plugins").rglob("*.py") for code in WRITTEN.findall(path.read_text())}
    assert len(used) > 200
    assert sorted(code for code in used if not is_there(code)) == []


def test_codes_of_cases_are_on_the_page() -> None:
    cases = [
        case for path in (ROOT / "tests/cases/inventory/bad").glob("*.yml") for case in yaml.safe_load(path.read_text())
    ]
    used = {error.partition(" ")[0] for case in cases for error in case["errors"]}
    assert len(used) > 200
    assert sorted(code for code in used if not is_there(code)) == []


def test_codes_of_plans_are_on_the_page() -> None:
    for code in ("disk.holds_data", "swift_ring.vanished", "ceph_osd.foreign", "erasure.in_use", "takeover.alive"):
        assert code in CODES


def test_a_code_has_its_meaning_its_fix_and_an_example() -> None:
    text = section("networks.overlap")
    assert text.strip().startswith("Error, by validate.yml, offline. Networks share neither addresses nor bridges.")
    assert "traffic of one could not be told from the other's" in text
    assert "- **Fix:** Give" in text
    assert "(../../tests/cases/inventory/bad/networks.yml)" in text


def test_every_code_has_a_meaning_and_a_fix() -> None:
    told = {code: section(heading) for code, heading in zip(CODES, HEADINGS, strict=True)}
    assert [code for code, text in told.items() if "- **What" not in text or "- **Fix" not in text] == []


def test_meanings_are_given_only_where_the_source_has_none() -> None:
    places: dict[str, list[finding_codes.Place]] = {}
    for place in finding_codes.collect(ROOT):
        places.setdefault(place.code, []).append(place)
    for code, (what, fix) in findings_page.MEANINGS.items():
        assert not (what and any(place.what for place in places[code])), code
        assert not (fix and any(place.fix for place in places[code])), code


MODULE = """
def refuse(code, what, fix):
    findings.append(Finding("error", f"disk.{code}", where, what, fix))

def plan(current):
    if current:
        what = "it is there."
    else:
        what = f"it has {current['size']} bytes."
    refuse("size", what, "Take it out.")
    refuse("other", "it is old.", fix="Renew it." if current else "Leave it.")
"""


def collect(directory: Path, text: str) -> list[finding_codes.Place]:
    (directory / "plugins").mkdir()
    (directory / "plugins/module.py").write_text(text)
    return finding_codes.collect(directory)


def test_a_function_that_makes_findings_is_followed_to_its_callers(tmp_path: Path) -> None:
    size, other = collect(tmp_path, MODULE)
    assert (size.code, size.what) == ("disk.size", ("it is there.", "it has <size> bytes."))
    assert (other.code, other.what, other.fix) == ("disk.other", ("it is old.",), ("Renew it.", "Leave it."))


def test_a_code_that_can_not_be_told_stops_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"module.py:1: the code of a finding can not be told"):
        collect(tmp_path, 'Finding("error", compute(), "here", "is wrong.", "Mend it.")')
