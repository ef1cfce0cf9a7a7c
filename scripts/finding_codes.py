# SPDX-License-Identifier: Apache-2.0
"""The codes of all findings, as the source has them: where each is made, what it says, and its fix.

It reads the source and runs none of it. A finding is made by a call of ``Finding`` or of what stands for it
(``MAKERS``); a function that hands its own parameters on to such a call makes findings too. Texts are those of the
source, with the names of what is put in. A code that can not be told stops ``make docs``.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PARTS = ("severity", "code", "what", "fix")
CODE = re.compile(r"[\w<>]+\.[\w<>-]+")
UNKNOWN = "<…>"
_PARAMETER = re.compile("\0([a-z_]+)\0")


@dataclass(frozen=True)
class Maker:
    """What makes a finding: its parameters in order, and each part of the finding as texts in which they are marked."""

    parameters: tuple[str, ...]
    parts: Mapping[str, tuple[str, ...]]
    line: int = 0
    """Where it does."""


def _maker(parameters: str, severity: str | None = None) -> Maker:
    names = tuple(parameters.split())
    parts = {part: (f"\0{part}\0",) for part in PARTS if part in names}
    return Maker(names, parts if severity is None else {**parts, "severity": (severity,)})


MAKERS = {
    "Finding": _maker("severity code where what fix"),
    "HostProblem": _maker("code host path what fix severity", "error"),
    "Conflict": _maker("code host path what fix", "error"),
    "Problem": _maker("code path what fix prune", "error"),
    "_Fault": _maker("code certificate what", "error"),
    "draft.error": _maker("code path what fix host", "error"),
    "draft.advice": _maker("code path what fix host", "advice"),
    "draft.finding": _maker("severity code path what fix host"),
}
"""By the end of the name by which they are called."""
HANDED_ON = {"_told_once", "_shared", "host_problems", "_take", "problems_of"}
"""Functions that pass on what others found, with its code."""


@dataclass(frozen=True)
class Place:
    """A place in the source that makes a finding. In texts ``<name>`` is what is put in; several are alternatives."""

    code: str
    severity: str
    file: str
    line: int
    what: tuple[str, ...]
    fix: tuple[str, ...]
    about: str
    """What the rule or function says of itself."""


def collect(root: Path) -> list[Place]:
    """All places below ``plugins``, by file and line. Raises ValueError for a code that it can not tell."""
    found: list[Place] = []
    for path in sorted((root / "plugins").rglob("*.py")):
        found += _Module(ast.parse(path.read_text()), str(path.relative_to(root))).places()
    return found


@dataclass
class _Module:
    tree: ast.Module
    file: str
    makers: dict[str, list[Maker]] = field(default_factory=lambda: {name: [maker] for name, maker in MAKERS.items()})

    def places(self) -> list[Place]:
        self._learn()
        return [place for function, call in self._calls() for place in self._places(function, call)]

    @functools.cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        return {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}

    @functools.cached_property
    def _called(self) -> set[str]:
        """The names by which the module calls something."""
        return {ast.unparse(call.func).removeprefix("self.") for _, call in self._calls()}

    def _calls(self) -> Iterator[tuple[tuple[ast.FunctionDef, ...], ast.Call]]:
        """Each call with the functions that it is in, the innermost first."""

        def walk(
            node: ast.AST, around: tuple[ast.FunctionDef, ...]
        ) -> Iterator[tuple[tuple[ast.FunctionDef, ...], ast.Call]]:
            if isinstance(node, ast.FunctionDef):
                around = (node, *around)
            if isinstance(node, ast.Call):
                yield around, node
            for child in ast.iter_child_nodes(node):
                yield from walk(child, around)

        return walk(self.tree, ())

    def _learn(self) -> None:
        """Find the functions that make findings of what they are given, until no further one is found."""
        learned = True
        while learned:
            learned = False
            for around, call in self._calls():
                for maker in self._makers(call) if around and not self._is_known(around, call) else ():
                    for given in self._given(maker, call):
                        parts = self._parts(maker, given, around, call)
                        if any(_PARAMETER.search(text) for texts in parts.values() for text in texts):
                            names = tuple(name for name in _parameters(around[0]) if name != "self")
                            known = self.makers.setdefault(around[0].name, [])
                            known.append(Maker(names, parts, call.lineno))
                            learned = True

    def _is_known(self, around: tuple[ast.FunctionDef, ...], call: ast.Call) -> bool:
        """Whether the function that the call is in was learned by this call."""
        return bool(around) and any(maker.line == call.lineno for maker in self.makers.get(around[0].name, ()))

    def _makers(self, call: ast.Call) -> list[Maker]:
        name = ast.unparse(call.func)
        for known, makers in self.makers.items():
            if name == known or name.endswith(f".{known}") or (known not in MAKERS and name == f"self.{known}"):
                return list(makers)
        return []

    def _given(self, maker: Maker, call: ast.Call) -> Iterator[dict[str, ast.expr]]:
        """The arguments by the maker's parameters; several where they come out of a function of the module."""
        named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        starred = [place for place, argument in enumerate(call.args) if isinstance(argument, ast.Starred)]
        before, after = (
            call.args[: starred[0]] if starred else call.args,
            call.args[starred[0] + 1 :] if starred else [],
        )
        several: list[list[ast.expr]] = [[]]
        if starred:
            star = call.args[starred[0]].value  # type: ignore[attr-defined]
            # What else has two parts is what is wrong, and the fix.
            parts: list[ast.expr] = [ast.Subscript(star, ast.Constant(place), ast.Load()) for place in range(2)]
            several = self._returned(star) or [parts]
        for values in several:
            yield {**dict(zip(maker.parameters, [*before, *values, *after], strict=False)), **named}

    def _returned(self, value: ast.expr) -> list[list[ast.expr]]:
        """The tuples that the function gives that is called."""
        if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name)):
            return []
        function = self.functions.get(value.func.id)
        return [node.value.elts for node in _returns(function) if isinstance(node.value, ast.Tuple)]

    def _parts(
        self, maker: Maker, given: Mapping[str, ast.expr], around: tuple[ast.FunctionDef, ...], call: ast.Call
    ) -> dict[str, tuple[str, ...]]:
        """Each part of the finding that the call makes, as texts."""
        texts = _Texts(self.tree, self.functions, around, call.lineno)
        function = self.functions.get(ast.unparse(call.func).rpartition(".")[2])
        arguments = {name: texts.of(value) for name, value in {**_defaults(function), **given}.items()}
        return {
            part: tuple(
                dict.fromkeys(filled for text in maker.parts.get(part, ()) for filled in _filled(text, arguments))
            )
            for part in PARTS
        }

    def _places(self, around: tuple[ast.FunctionDef, ...], call: ast.Call) -> Iterator[Place]:
        if any(function.name in HANDED_ON for function in around):
            return
        if around and around[0].name in self._called and self._is_known(around, call):
            return  # told where the function is called
        for maker in self._makers(call):
            for given in self._given(maker, call):
                # Without a code it takes apart what another made; with the attribute of that name it hands it on.
                code = given.get("code")
                handed_on = isinstance(code, ast.Attribute) and code.attr == "code"
                if not handed_on and (code is not None or "code" not in maker.parameters):
                    yield from self._told(self._parts(maker, given, around, call), around, call)

    def _told(
        self, parts: Mapping[str, tuple[str, ...]], around: tuple[ast.FunctionDef, ...], call: ast.Call
    ) -> Iterator[Place]:
        for code in parts["code"]:
            if _PARAMETER.fullmatch(code):
                continue
            plain = _PARAMETER.sub(r"<\1>", code)
            if not CODE.fullmatch(plain):
                raise ValueError(f"{self.file}:{call.lineno}: the code of a finding can not be told: {code!r}")
            severity = " or ".join(text for text in ("error", "advice") if text in parts["severity"])
            what, fix = _said(parts["what"]), _said(parts["fix"])
            yield Place(plain, severity or "error or advice", self.file, call.lineno, what, fix, _about(around))


def _returns(function: ast.FunctionDef | None) -> list[ast.Return]:
    return [node for node in ast.walk(function) if isinstance(node, ast.Return)] if function else []


def _parameters(function: ast.FunctionDef) -> list[str]:
    arguments = function.args
    return [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def _defaults(function: ast.FunctionDef | None) -> dict[str, ast.expr]:
    if function is None:
        return {}
    names = [argument.arg for argument in function.args.args]
    return dict(zip(reversed(names), reversed(function.args.defaults), strict=False))


def _filled(text: str, arguments: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The text with what is given for its parameters; one for each alternative."""
    match = _PARAMETER.search(text)
    if match is None:
        return [text]
    values = arguments.get(match[1], (UNKNOWN,))
    before, after = text[: match.start()], _filled(text[match.end() :], arguments)
    return [f"{before}{value}{rest}" for value in values for rest in after]


def _said(texts: Iterable[str]) -> tuple[str, ...]:
    """The texts that say anything; one that has parameters of its function left gets their names."""
    named = (_PARAMETER.sub(r"<\1>", text).strip() for text in texts)
    return tuple(dict.fromkeys(text for text in named if re.sub("<[^>]*>", "", text).strip(" .:,;")))


def _about(around: tuple[ast.FunctionDef, ...]) -> str:
    """The first paragraph of the nearest docstring."""
    for function in around:
        if docstring := ast.get_docstring(function):
            return " ".join(docstring.partition("\n\n")[0].split()).replace("``", "`")
    return ""


class _Texts:
    """The texts that an expression may be where it stands, as far as the source shows it."""

    def __init__(
        self, tree: ast.Module, functions: Mapping[str, ast.FunctionDef], around: tuple[ast.FunctionDef, ...], line: int
    ) -> None:
        self._tree, self._functions = tree, functions
        self._own = set(_parameters(around[0])) if around else set()
        self._scopes = [function.body for function in around] + [tree.body]
        self._line = line
        self._open: list[str] = []

    def _given_back(self, call: ast.expr, place: int | None = None) -> tuple[str, ...]:
        """What a function of the module gives, or one place of the tuples that it gives."""
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)) or call.func.id in self._open:
            return ()
        function = self._functions.get(call.func.id)
        found: list[str] = []
        for node in _returns(function):
            value = node.value
            if place is not None:
                value = value.elts[place] if isinstance(value, ast.Tuple) and place < len(value.elts) else None
            if function and value is not None and not isinstance(value, ast.Constant | ast.Tuple | ast.Call | ast.Name):
                inner = _Texts(self._tree, self._functions, (function,), node.lineno)
                inner._open = [*self._open, call.func.id]
                found += [_PARAMETER.sub(r"<\1>", text) for text in inner.of(value)]
            elif isinstance(value, ast.Constant) and isinstance(value.value, str):
                found.append(value.value)
        return tuple(dict.fromkeys(text for text in found if text))

    def _value(self, value: ast.expr, name: str) -> tuple[str, ...]:
        """What a name has; by the name itself where that is a part of something that the source does not show."""
        match value:
            case ast.Subscript(value=whole, slice=ast.Constant(value=int() as place)) if not self._part(whole, place):
                return (f"<{name}>",)
        return self.of(value)

    def _part(self, value: ast.expr, place: int) -> tuple[str, ...]:
        """One place of a tuple that a name has, or a call gives."""
        calls = self._values(value.id) if isinstance(value, ast.Name) else [value]
        return tuple(dict.fromkeys(text for call in calls for text in self._given_back(call, place)))

    def _values(self, name: str) -> list[ast.expr]:
        """What the name may be: by the nearest function that gives it a value, there by the last before the place."""
        for body in self._scopes:
            if found := _reaching(body, name, self._line)[0]:
                return found
        return []

    def of(self, node: ast.expr) -> tuple[str, ...]:
        match node:
            case ast.Constant(value=str() as text):
                return (text,)
            case ast.JoinedStr():
                return tuple(self._joined(node.values))
            case ast.IfExp():
                return (*self.of(node.body), *self.of(node.orelse))
            case ast.BinOp(op=ast.Add()):
                return tuple(f"{left}{right}" for left in self.of(node.left) for right in self.of(node.right))
            case ast.Name(id=name) if name not in self._open and (values := self._values(name)):
                self._open.append(name)
                found = tuple(dict.fromkeys(text for value in values for text in self._value(value, name)))
                self._open.pop()
                return found
            case ast.Name(id=name) if name in self._own:
                return (f"\0{name}\0",)
            case ast.Call(func=ast.Name(id="did_you_mean")):
                return ("",)
            case ast.Subscript(value=value, slice=ast.Constant(value=int() as place)) if found := self._part(
                value, place
            ):
                return found
            case ast.Call() if found := self._given_back(node):
                return found
        return (f"<{_named(node)}>",)

    def _joined(self, parts: list[ast.expr]) -> list[str]:
        """A text with what is put in: the text that it is where there is one only, else its name."""
        made = [""]
        for part in parts:
            texts: tuple[str, ...] = ()
            if isinstance(part, ast.FormattedValue):
                texts = self.of(part.value)
                if len(texts) > 1 and len(parts) > 1:
                    texts = (f"<{_named(part.value)}>",)
            else:
                texts = self.of(part)
            made = [f"{before}{text}" for before in made for text in texts]
        return made


def _reaching(body: list[ast.stmt], name: str, line: int) -> tuple[list[ast.expr], bool]:
    """The values that a name may have at a line by statements before it, and whether it has one of them for sure."""
    found: list[ast.expr] = []
    for statement in reversed([statement for statement in body if statement.lineno <= line]):
        values, sure = _given_by(statement, name, line)
        found += values
        if sure:
            return found, True
    return found, False


def _given_by(statement: ast.stmt, name: str, line: int) -> tuple[list[ast.expr], bool]:
    """Likewise, of one statement."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [], False
    if isinstance(statement, ast.Assign):
        found = [value for target in statement.targets for value in _bound(target, statement.value, name)]
        return found, bool(found)
    inside = statement.lineno <= line <= (statement.end_lineno or line)
    if isinstance(statement, ast.For) and inside and isinstance(statement.iter, ast.Tuple | ast.List):
        found = [value for each in statement.iter.elts for value in _bound(statement.target, each, name)]
        if found:
            return found, True
    blocks = [block for block in _blocks(statement) if block]
    holding = [block for block in blocks if block[0].lineno <= line <= (block[-1].end_lineno or line)]
    told = [_reaching(block, name, line) for block in holding or blocks]
    found = [value for values, _ in told for value in values]
    every = bool(told) and all(sure for _, sure in told)
    complete = every and (bool(holding) or (isinstance(statement, ast.If) and bool(statement.orelse)))
    if not complete:
        own = [node for node in ast.walk(statement) if isinstance(node, ast.NamedExpr) and node.target.id == name]
        found += [node.value for node in own if node.lineno <= line]
        complete = bool(own) and inside
    return found, complete


def _blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    blocks = [getattr(statement, part, []) for part in ("body", "orelse", "finalbody")]
    blocks += [inner.body for inner in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ()))]
    return blocks


def _bound(target: ast.expr, value: ast.expr, name: str) -> list[ast.expr]:
    """What a target of this name gets of the value."""
    if isinstance(target, ast.Name):
        return [value] if target.id == name else []
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=False)
        return [found for part, given in pairs for found in _bound(part, given, name)]
    if isinstance(target, ast.Tuple):
        parts = (
            (part, ast.Subscript(value, ast.Constant(place), ast.Load())) for place, part in enumerate(target.elts)
        )
        return [found for part, given in parts for found in _bound(part, given, name)]
    return []


def _named(node: ast.expr) -> str:
    """A short name for what is put into a text; ``…`` where the source has none that says anything."""
    name = _name(node)
    return "…" if name in _SAY_NOTHING else name.lower().strip("_")


_SAY_NOTHING = {"about", "draft", "os", "self", "str", "text", "variables", "yaml_files"}


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str() as name)):
            return str(name)
        case ast.Call(func=ast.Name(id="len")):
            return "number"
        case ast.Call(args=[first, *_], func=ast.Name()):
            return _name(first)
        case ast.Call(func=ast.Attribute(attr="join"), args=[first]):
            return _name(first)
        case ast.Call(func=ast.Attribute(value=inner)):
            return _name(inner)
        case ast.Subscript(value=inner) | ast.Starred(value=inner):
            return _name(inner)
        case ast.GeneratorExp(generators=[first, *_]) | ast.ListComp(generators=[first, *_]):
            return _name(first.iter)
    return "…"
