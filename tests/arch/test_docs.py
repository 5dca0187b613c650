"""The documentation points at things that exist, and no file names a package registry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from tests.arch.source_tree import ROOT, listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Packages come from wherever the engineer's own pip is told to look.
REGISTRY_HOSTS = ("pypi.org", "pythonhosted.org", "anaconda.org", "npmjs.org", "npmjs.com")
# Git ignores these, or they are Git itself.
UNTRACKED = frozenset(
    {
        *(".git", ".venv", ".venv-bench", "build", "dist", "workspace"),
        *("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"),
    }
)

CODE_BLOCK = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
MAKE_TARGET = re.compile(r"\bmake +([a-z][a-z_-]*)")
TARGET = re.compile(r"^([a-z][a-z_-]*):", re.MULTILINE)


def link_targets(text: str) -> list[str]:
    """Relative link targets of a page without their anchors; code is not read."""
    prose = INLINE_CODE.sub("", CODE_BLOCK.sub("", text))
    targets = [inline or reference for inline, reference in LINK.findall(prose)]
    paths = [unquote(target.partition("#")[0]) for target in targets if not SCHEME.match(target)]
    return [path for path in paths if path]


def broken_links(page: Path) -> list[str]:
    """Relative links of a page that point at nothing."""
    targets = link_targets(page.read_text(encoding="utf-8"))
    return [f"{page.name} -> {target}" for target in targets if not (page.parent / target).exists()]


def unknown_make_targets(text: str, makefile: str) -> list[str]:
    """Targets that a page's code names and the Makefile does not have."""
    blocks = [match.group() for match in CODE_BLOCK.finditer(text)]
    inline = INLINE_CODE.findall(CODE_BLOCK.sub("", text))
    named = {target for code in (*blocks, *inline) for target in MAKE_TARGET.findall(code)}
    return sorted(named.difference(TARGET.findall(makefile)))


def registry_lines(text: str) -> list[str]:
    """Lines that name the host of a package registry."""
    return [line.strip() for line in text.splitlines() if any(host in line for host in REGISTRY_HOSTS)]


def pages() -> list[Path]:
    """README and everything under docs."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def tracked_files(folder: Path) -> Iterator[Path]:
    """Every file that a commit could hold, tests left out."""
    for path in sorted(folder.iterdir()):
        if path.name in UNTRACKED or path == ROOT / "tests":
            continue
        if path.is_dir():
            yield from tracked_files(path)
        else:
            yield path


def test_every_relative_link_points_at_a_file() -> None:
    violations = [line for page in pages() for line in broken_links(page)]
    assert not violations, listed(violations)


def test_every_make_target_in_the_docs_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {page.name: unknown_make_targets(page.read_text(encoding="utf-8"), makefile) for page in pages()}
    assert {page: targets for page, targets in named.items() if targets} == {}


def test_no_file_names_a_registry() -> None:
    files = [(path, path.read_text(encoding="utf-8", errors="replace")) for path in tracked_files(ROOT)]
    assert [
        f"{path.relative_to(ROOT)}: {line}" for path, text in files for line in registry_lines(text)
    ] == []


def test_every_make_target_has_help() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lines = re.findall(r"^[a-z]+:.*$", makefile, re.MULTILINE)
    assert lines
    assert [line for line in lines if " ## " not in line] == []


def test_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[here](page.md#top) [gone](gone.md#x) ![shot](shots/a.png 'title')\n\n[ref]: lost.md\n")
    assert broken_links(page) == ["page.md -> gone.md", "page.md -> shots/a.png", "page.md -> lost.md"]


def test_addresses_anchors_and_code_are_no_links() -> None:
    text = "[a](https://example.com) [b](#c) [d](mailto:e@f.g) `[h](i.md)`\n\n```\n[j](k.md)\n```\n"
    assert link_targets(text) == []


def test_unknown_make_target_is_found() -> None:
    text = "You can make sure. Run `make test` or `make magic`.\n\n```sh\nmake setup\nmake polish\n```\n"
    assert unknown_make_targets(text, "setup: x ## y\ntest:\n") == ["magic", "polish"]


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_registry_host_is_found(host: str) -> None:
    assert len(registry_lines(f"fine\n--index-url https://{host}/simple\n")) == 1
