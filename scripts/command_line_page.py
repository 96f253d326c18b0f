"""Write docs/command-line.md from the parsers: .venv/bin/python -m scripts.command_line_page

A test says when the page no longer agrees with them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kinelift.batch.command import _parser as batch_parser
from kinelift.inference.__main__ import _parser as worker_parser

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/command-line.md"

HEAD = """# Command line

Written by `python -m scripts.command_line_page` from the parsers themselves; don't edit it.

Kinelift has two commands. `batch.py` makes every file of one clip or of many: `.blend`, BVH, FBX, GLB,
renders and a summary. `python -m inference` makes the motion alone, without Blender.

Where a value is optional, `auto` says that it isn't known. A CSV for `--list` may have a column for every
option of the groups *files*, *capture*, *solving*, *clean-up* and *retarget*, named like the option without
its dashes. Switches are `yes` or `no` there: columns `feet`, `lock-toes`, `posed`, `plant` and `strip`.
"""

BATCH = """
## batch.py

```
.venv/bin/python batch.py VIDEO... --out DIR [options]             in the checkout
blender --command kinelift VIDEO... --out DIR [options]            with the extension enabled
blender -b --python batch.py -- VIDEO... --out DIR [options]       in a Blender without it
```

The last one has no MediaPipe and no torch: name a Python that has them in `KINELIFT_PYTHON`.
[Many clips](batch.md) says how lists, the journal and the report work, [many machines](cluster.md) how to use
a cluster.
"""

WORKER = """
## python -m inference

Run it with `.venv/bin/python` in the checkout.
"""


def page() -> str:
    """The page as the parsers are now."""
    text = HEAD + BATCH + tables(batch_parser("batch.py"))
    text += WORKER
    (commands,) = (a for a in worker_parser()._actions if isinstance(a, argparse._SubParsersAction))
    told = {choice.dest: choice.help for choice in commands._choices_actions}
    for name, parser in commands.choices.items():
        text += f"\n### {name}\n\n`{usage(parser)}`: {told[name]}.\n" + tables(parser)
    return text


def usage(parser: argparse.ArgumentParser) -> str:
    """A command with what it can't do without."""
    needed = [a for a in parser._actions if a.required or not a.option_strings]
    return " ".join(
        [parser.prog, *(" ".join([*a.option_strings[:1], a.metavar or a.dest.upper()]) for a in needed)]
    )


def tables(parser: argparse.ArgumentParser) -> str:
    """A table for each group of a parser's arguments."""
    text = ""
    for group in parser._action_groups:
        rows = [
            row(parser, action) for action in group._group_actions if action.dest != "help" and action.help
        ]
        if rows:
            title = "" if group.title in ("positional arguments", "options") else f"\n**{group.title}**\n"
            text += f"{title}\n| option | what it does |\n|---|---|\n" + "\n".join(rows) + "\n"
    return text


def row(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """An argument and its help, as a row of a table."""
    names = ", ".join(action.option_strings)
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
    if action.nargs == 0 or not (names or value):
        value = ""
    shown = " ".join(filter(None, (names, str(value)))) or action.dest.upper()
    formatter = parser._get_formatter()
    text = formatter._expand_help(action).replace("|", "\\|")
    escaped = shown.replace("|", "\\|")
    return f"| `{escaped}` | {text} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
