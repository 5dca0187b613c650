"""Files and functions stay small, say what they are, and leave nothing half done."""

from __future__ import annotations

import ast
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from tests.arch.source_tree import PACKAGES, Source, listed, source_from_text, sources_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
"""From `def` to the last line, without the docstring."""
MAX_POSITIONAL = 6
"""Without self and cls; keyword-only parameters are named at the call and not counted."""
MAX_NESTING = 3

FORBIDDEN_NAMES = frozenset(
    {
        *("util", "utils", "helper", "helpers", "common", "core", "misc"),
        *("manager", "handler", "processor", "data", "info"),
    }
)
# Put together, so that this file does not hold the words it looks for.
PROMISES = ("TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented" + "Error")
UNFINISHED = re.compile(r"\b(" + "|".join(PROMISES) + r")\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def functions_of(source: Source) -> list[Function]:
    """Every function and method, nested ones too."""
    return [node for node in ast.walk(source.tree) if isinstance(node, Function)]


def function_lines(function: Function) -> int:
    """Lines of a function without its decorators and docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def positional_count(function: Function) -> int:
    """Parameters that a caller may pass by position."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def nesting(node: ast.AST) -> int:
    """Blocks inside blocks; an `elif` is as deep as its `if`, inner functions are left out."""
    return max((_depth_at(child, node) for child in _inner(node)), default=0)


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    return (child for child in ast.iter_child_nodes(node) if not isinstance(child, SCOPES))


def _depth_at(child: ast.AST, parent: ast.AST) -> int:
    is_elif = isinstance(child, ast.If) and isinstance(parent, ast.If) and parent.orelse == [child]
    return nesting(child) + (isinstance(child, BLOCKS) and not is_elif)


def size_violations(source: Source) -> list[str]:
    """What in a file is larger than its limit."""
    found = [(f"{source.path} lines", source.text.count("\n"), MAX_FILE_LINES)]
    for function in functions_of(source):
        where = f"{source.path}:{function.lineno} {function.name}"
        found += [
            (f"{where} lines", function_lines(function), MAX_FUNCTION_LINES),
            (f"{where} positional parameters", positional_count(function), MAX_POSITIONAL),
            (f"{where} nesting", nesting(function), MAX_NESTING),
        ]
    return [f"{what}: {count}, at most {limit}" for what, count, limit in found if count > limit]


def first_line_violation(source: Source) -> str | None:
    """Why a file's first line does not say what the file is, or None."""
    docstring = ast.get_docstring(source.tree, clean=False)
    if docstring is None or source.tree.body[0].lineno != 1:
        return f"{source.path} does not begin with a docstring"
    first = docstring.split("\n", 1)[0]
    if not first.endswith(".") or re.search(r"[.!?] +[A-Z]", first):
        return f"{source.path} begins with {first!r}, not with one sentence"
    return None


def name_violation(source: Source) -> str | None:
    """Why a file's name or folder says nothing, or None."""
    path = PurePosixPath(source.path).with_suffix("")
    empty = sorted(FORBIDDEN_NAMES.intersection(part.removeprefix("test_") for part in path.parts))
    return f"{source.path}: {empty[0]} says nothing" if empty else None


def unfinished_lines(source: Source) -> list[str]:
    """Lines that promise work instead of doing it."""
    lines = enumerate(source.text.splitlines(), start=1)
    return [f"{source.path}:{number} {line.strip()}" for number, line in lines if UNFINISHED.search(line)]


def undocumented(source: Source) -> list[str]:
    """Public functions and classes of a module without a docstring."""
    return [
        f"{source.path}:{node.lineno} {node.name}"
        for node in source.tree.body
        if isinstance(node, Function | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]


def logic_in_window(source: Source) -> list[str]:
    """Statements of an `__init__.py` that are more than docstring, imports and dunder names."""
    if PurePosixPath(source.path).name != "__init__.py":
        return []
    return [f"{source.path}:{node.lineno}" for node in source.tree.body if not _is_window_statement(node)]


def _is_window_statement(node: ast.stmt) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name in ("__all__", "__version__")
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
    return False


def every_source() -> list[Source]:
    """The packages, and the code that feeds and tests them."""
    return sources_of(*PACKAGES, "fixtures", "tests")


def test_sizes_stay_within_limits() -> None:
    violations = [line for source in every_source() for line in size_violations(source)]
    assert not violations, listed(violations)


def test_every_file_says_what_it_is() -> None:
    violations = [line for source in every_source() if (line := first_line_violation(source))]
    assert not violations, listed(violations)


def test_no_file_has_an_empty_name() -> None:
    violations = [line for source in every_source() if (line := name_violation(source))]
    assert not violations, listed(violations)


def test_nothing_is_left_unfinished() -> None:
    violations = [line for source in every_source() for line in unfinished_lines(source)]
    assert not violations, listed(violations)


def test_public_names_are_documented() -> None:
    violations = [line for source in sources_of(*PACKAGES) for line in undocumented(source)]
    assert not violations, listed(violations)


def test_package_windows_hold_no_logic() -> None:
    violations = [line for source in sources_of(*PACKAGES) for line in logic_in_window(source)]
    assert not violations, listed(violations)


def _function(text: str) -> Function:
    return functions_of(source_from_text("dataspine.x", text))[0]


@pytest.mark.parametrize(("count", "is_refused"), [(MAX_FILE_LINES, False), (MAX_FILE_LINES + 1, True)])
def test_file_length_edge(count: int, is_refused: bool) -> None:
    assert bool(size_violations(source_from_text("dataspine.x", "a = 1\n" * count))) is is_refused


@pytest.mark.parametrize(
    ("count", "is_refused"), [(MAX_FUNCTION_LINES, False), (MAX_FUNCTION_LINES + 1, True)]
)
def test_function_length_edge_without_docstring_lines(count: int, is_refused: bool) -> None:
    text = '@cache\ndef f():\n    """Do.\n\n    Raises: nothing.\n    """\n' + "    a = 1\n" * (count - 1)
    assert bool(size_violations(source_from_text("dataspine.x", text))) is is_refused


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("a, b, c, d, e, f, g", 7),
        ("self, a, b, c, d, e, f", 6),
        ("a, b, /, c, *, d, e, f, g", 3),
        ("*many", 0),
    ],
)
def test_positional_parameters_are_counted(signature: str, expected: int) -> None:
    function = _function(f"def f({signature}): ...")
    assert positional_count(function) == expected
    refused = size_violations(source_from_text("dataspine.x", f"def f({signature}): ..."))
    assert bool(refused) is (expected > MAX_POSITIONAL)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return 1", 0),
        ("for a in b:\n  while c:\n   if d: e()", 3),
        ("with a:\n  try:\n   b()\n  except C:\n   for d in e:\n    if f: g()", 4),
        ("if a: b()\n elif c: d()\n elif e: f()\n else: g()", 1),
        ("if a: b()\n else:\n  if c: d()\n  e()", 2),
        ("match a:\n  case 1:\n   if b: c()", 2),
        ("if a:\n  def inner():\n   for b in c:\n    if d: e()", 1),
    ],
)
def test_nesting_is_measured(body: str, expected: int) -> None:
    assert nesting(_function(f"def f():\n {body}")) == expected


def test_deep_nesting_is_refused() -> None:
    text = "def f():\n for a in b:\n  for c in d:\n   for e in g:\n    if h: i()"
    assert len(size_violations(source_from_text("dataspine.x", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "import os\n",
        "# Comment.\n" + '"""A noun."""\n',
        '"""No full stop"""\n',
        '"""Two. Sentences."""\n',
        '"""\nLate.\n"""\n',
        "",
    ],
)
def test_poor_first_line_is_found(text: str) -> None:
    assert first_line_violation(source_from_text("dataspine.x", text))


@pytest.mark.parametrize("line", ["A noun.", "Bars: one line, e.g. this, is 1.5 sentences at most."])
def test_good_first_line_passes(line: str) -> None:
    assert (
        first_line_violation(source_from_text("dataspine.x", f'"""{line}\n\nMore. And more.\n"""\n')) is None
    )


@pytest.mark.parametrize(
    "path", ["dataspine/utils.py", "dataspine/core/x.py", "tests/unit/test_helpers.py", "tui/data.py"]
)
def test_empty_name_is_found(path: str) -> None:
    assert name_violation(source_from_text("x", "", path=path))


@pytest.mark.parametrize("path", ["dataspine/schemas/market_data.py", "dataspine/store/payloads.py"])
def test_telling_name_passes(path: str) -> None:
    assert name_violation(source_from_text("x", "", path=path)) is None


@pytest.mark.parametrize("word", PROMISES)
def test_promise_is_found(word: str) -> None:
    assert len(unfinished_lines(source_from_text("dataspine.x", f"a = 1  # {word}: later\nb = 2\n"))) == 1


def test_undocumented_public_name_is_found() -> None:
    text = 'def a(): ...\nclass B: ...\nasync def c(): ...\ndef _d(): ...\ndef e():\n    """Do."""\n'
    assert len(undocumented(source_from_text("dataspine.x", text))) == 3


@pytest.mark.parametrize("statement", ["def f(): ...", "limit = 3", "if True: ...", "for a in b: ...", "f()"])
def test_logic_in_a_window_is_found(statement: str) -> None:
    text = f'"""A package."""\nfrom a import b\n__all__ = ["b"]\n{statement}\n'
    assert len(logic_in_window(source_from_text("dataspine.x", text, path="dataspine/x/__init__.py"))) == 1
    assert logic_in_window(source_from_text("dataspine.x", text)) == []
