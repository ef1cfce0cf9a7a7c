# SPDX-License-Identifier: Apache-2.0
"""What the documentation names exists: files, links and their anchors, functions, and keys of descriptions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.holdfast.storage.plugins.module_utils.core.description import load, schema
from ansible_collections.holdfast.storage.plugins.module_utils.core.subjects import ORDER

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / "plugins/module_utils"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "roles").rglob("*.md")])
# Decisions tell of their time: what they name may have moved since.
PRESENT = [page for page in PAGES if page.parent.name != "adr"]
FOLDERS = re.compile("(docs|host|controller|core|molecule|playbooks|plugins|roles|schema|scripts|tests)/")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    """The text without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def found(name: str) -> list[Path]:
    """Files of that name, from the root of the project or of module_utils; ``<x>`` and ``*`` are any."""
    pattern = re.sub(r"<\w+>", "*", name).rstrip("/")
    return [path for base in (ROOT, SHARED) for path in base.glob(pattern)]


@pages
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        file, _, anchor = link.partition("#")
        if ":" in file:
            continue
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PRESENT, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page: Path) -> None:
    names = re.findall(r"`([\w.<>*-]+/[\w./<>*-]*)`", prose(page))
    missing = [name for name in names if FOLDERS.match(name) and not found(name)]
    assert missing == []


def steps() -> Iterator[tuple[Path, list[str]]]:
    """The rows of docs/walks.md: a file, and what is named of it."""
    for line in (ROOT / "docs/walks.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            (file,) = re.findall(r"`([^`]+)`", cells[0])
            (path,) = found(file)
            yield path, re.findall(r"`([^`]+)`", cells[1])


def defined(tree: ast.Module) -> set[str]:
    """Functions, classes, ``Class.method`` and constants of a module."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def test_the_walks_lead_through_functions_that_exist() -> None:
    walked = list(steps())
    assert len(walked) > 40
    for path, names in walked:
        assert names, path
        text = path.read_text()
        known = defined(ast.parse(text)) if path.suffix == ".py" else set()
        for name in names:
            assert name in known or (path.suffix != ".py" and name in text), f"{path.relative_to(ROOT)}: {name}"


def example(heading: str) -> Any:
    """The first YAML below a heading of docs/services.md."""
    section = (ROOT / "docs/services.md").read_text().partition(f"\n## {heading}")[2]
    return yaml.safe_load(re.findall(r"```yaml\n(.*?)```", section, re.S)[0])


def test_the_example_of_a_description_is_of_the_closed_form_and_has_its_keys() -> None:
    content = example("The form of a description")
    assert schema.problems(content, "docs/services.md", ORDER.applied) == []
    assert set(schema.document()["properties"]) <= set(content)


def test_the_example_of_a_back_end_is_of_the_closed_form_and_has_its_keys() -> None:
    content = example("Types of back ends")
    assert schema.backend_problems(content, "docs/services.md") == []
    assert set(schema.document("backend")["properties"]) <= set(content)


def test_fragments_are_documented() -> None:
    text = (ROOT / "docs/services.md").read_text()
    for path in (ROOT / "roles" / load.FRAGMENTS).iterdir():
        assert f"`{path.name}`" in text


def test_the_readme_names_the_ansible_that_is_installed() -> None:
    (pinned,) = re.findall(r"^ansible-core==([\d.]+)", (ROOT / "requirements/runtime.txt").read_text(), re.M)
    least, below = re.findall(r"ansible-core>=([\d.]+),<([\d.]+)", (ROOT / "pyproject.toml").read_text())[0]
    major, minor = below.split(".")
    text = (ROOT / "README.md").read_text()
    assert f"ansible-core {least} to {major}.{int(minor) - 1} (installed by `make`: {pinned}" in text


def test_the_readme_has_every_playbook_of_an_operator() -> None:
    text = (ROOT / "README.md").read_text()
    parts = {"lab_down", "lab_images", "lab_up", "phase", "plan"}  # of the lab, and of other playbooks
    missing = [path.stem for path in (ROOT / "playbooks").glob("*.yml") if f"| `{path.stem}` |" not in text]
    assert set(missing) == parts


def story_ids() -> Iterator[str]:
    """The ids of stories as the source has them, each as a pattern: a part may be put in."""
    for path in SHARED.glob("core/*/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Story":
                given = node.args[0]
                parts = given.values if isinstance(given, ast.JoinedStr) else [given]
                yield "".join(
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w+" for part in parts
                )


def test_every_story_is_documented_and_no_other() -> None:
    table = (ROOT / "docs/verify.md").read_text().partition("\n## The stories\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([a-z]+\.\w+)`", row)}
    known = list(story_ids())
    assert len(known) > 40
    assert [name for name in documented if not any(re.fullmatch(pattern, name) for pattern in known)] == []
    assert [pattern for pattern in known if not any(re.fullmatch(pattern, name) for name in documented)] == []
