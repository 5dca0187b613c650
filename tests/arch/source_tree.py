"""The source files as the architecture tests see them: module names, syntax trees, and the names they use."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("dataspine", "tui")


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file."""

    module: str
    """Dotted name; a package's `__init__.py` has the package's name."""
    path: str
    """Relative to the root of the repository, with slashes."""
    text: str
    tree: ast.Module


class Use(NamedTuple):
    """A dotted name that a file imports or reaches through an import."""

    name: str
    line: int


def source_from_text(module: str, text: str, *, path: str | None = None) -> Source:
    """A file that need not exist, for tests of the checks themselves."""
    return Source(module, path or module.replace(".", "/") + ".py", text, ast.parse(text))


def sources_of(*folders: str) -> list[Source]:
    """Every Python file under the folders, in path order."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [_source_from_path(path) for path in paths]


def _source_from_path(path: Path) -> Source:
    relative = path.relative_to(ROOT)
    parts = relative.with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return source_from_text(".".join(parts), path.read_text(encoding="utf-8"), path=relative.as_posix())


def listed(violations: list[str]) -> str:
    """Every violation on its own line, for an assertion's message."""
    return "\n" + "\n".join(violations)


def is_within(name: str, prefix: str) -> bool:
    """Whether a dotted name is the prefix or stands below it."""
    return name == prefix or name.startswith(prefix + ".")


def imports_of(source: Source) -> list[Use]:
    """Every import wherever it stands, also inside functions and `if TYPE_CHECKING`.

    `from a import b` is `a.b`; a relative import keeps its dots; `import_module("a")` is `a`.
    """
    return [use for node in ast.walk(source.tree) for use in _imports_at(node)]


def _imports_at(node: ast.AST) -> Iterator[Use]:
    match node:
        case ast.Import(names=names):
            yield from (Use(alias.name, node.lineno) for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            base = "." * level + (module or "")
            yield from (Use(f"{base}.{alias.name}", node.lineno) for alias in names)
        case ast.Call(
            func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            yield Use(name, node.lineno)


def uses_of(source: Source) -> list[Use]:
    """Imports, attributes reached through them (`os.environ`), and `builtins.open` where it is called."""
    origins = _origins(source.tree)
    reached = [use for node in ast.walk(source.tree) for use in _reached_at(node, origins)]
    return sorted({*imports_of(source), *reached}, key=lambda use: (use.line, use.name))


def _origins(tree: ast.Module) -> dict[str, str]:
    """Local name to the dotted name it was imported from."""
    origins: dict[str, str] = {"open": "builtins.open"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.asname or alias.name.split(".")[0]: alias for alias in node.names}
            origins |= {
                local: alias.name if alias.asname else alias.name.split(".")[0]
                for local, alias in names.items()
            }
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            origins |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return origins


def _reached_at(node: ast.AST, origins: dict[str, str]) -> Iterator[Use]:
    if isinstance(node, ast.Attribute):
        name = _dotted(node, origins)
        if name:
            yield Use(name, node.lineno)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
        yield Use(origins["open"], node.lineno)


def _dotted(node: ast.expr, origins: dict[str, str]) -> str | None:
    match node:
        case ast.Name(id=local):
            return origins.get(local)
        case ast.Attribute(value=value, attr=attr):
            base = _dotted(value, origins)
            return f"{base}.{attr}" if base else None
    return None
