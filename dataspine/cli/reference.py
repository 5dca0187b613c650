"""The reference page of the commands, made from the tree that runs them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

from dataspine.cli.tree import NOUNS, command_tree, noun_command

_PLACEHOLDERS = {int: "N", Path: "PATH", str: "TEXT"}
OPENING = """# Commands

Made from the code by `python -m dataspine.cli.reference docs/reference/commands.md`; a test holds the two equal.

Results go to stdout, narration and errors to stderr. `--json` prints one document, see
[the machine contract](machine_contract.md); exit codes: [exit codes](exit_codes.md).
"""


def commands_page() -> str:
    """The page as Markdown."""
    tree = command_tree()
    sections = [OPENING, "## Options of every command\n", _options_table(tree)]
    for noun in NOUNS:
        sections += _sections(noun_command(noun), f"dataspine {noun}")
    return "\n".join(sections)


def _sections(command: Any, words: str) -> Iterator[str]:
    """A group has one section a command, a single command one of its own."""
    below = getattr(command, "commands", None)
    if below:
        yield f"## `{words}`\n\n{_text(command)}\n"
        for name, each in below.items():
            yield _section(each, f"{words} {name}", level="###")
    else:
        yield _section(command, words, level="##")


def _section(command: Any, words: str, *, level: str) -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    usage = " ".join([words, *(_argument(param) for param in arguments), "[OPTIONS]"])
    return f"{level} `{words}`\n\n{_text(command)}\n\n```\n{usage}\n```\n\n{_options_table(command)}"


def _options_table(command: Any) -> str:
    rows = [_row(param) for param in command.params if not getattr(param, "hidden", False)]
    if not rows:
        return ""
    return "\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n"


def _row(param: Any) -> str:
    is_option = param.param_type_name == "option"
    name = ", ".join(param.opts) if is_option else _argument(param)
    takes_value = is_option and not param.is_flag
    value = f" {_placeholder(param)}" if takes_value else ""
    notes = [param.help or ""]
    if takes_value and param.multiple:
        notes.append("May be repeated.")
    if param.required:
        notes.append("Required.")
    elif takes_value and param.default not in (None, ""):
        notes.append(f"Default: {param.default}.")
    if getattr(param, "envvar", None):
        notes.append(f"Environment: `{param.envvar}`.")
    # A bar ends a Markdown cell, also inside code.
    shown = f"{name}{value}".replace("|", "\\|")
    return f"| `{shown}` | {' '.join(note for note in notes if note)} |"


def _placeholder(param: Any) -> str:
    if param.metavar:
        return str(param.metavar)
    kind = param.type_descriptor.annotation
    return _PLACEHOLDERS.get(kind, "VALUE")


def _argument(param: Any) -> str:
    name = (param.metavar or param.name.upper()).strip("[].")
    many = "..." if param.nargs == -1 else ""
    return f"{name}{many}" if param.required else f"[{name}]{many}"


def _text(command: Any) -> str:
    return cleandoc(command.help or "")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(commands_page(), encoding="utf-8")
