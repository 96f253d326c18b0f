"""The troubleshooting guide quotes what the program says, not what it once said."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from kinelift.scripts import command_line_page

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^> `(.+)`$", GUIDE, re.MULTILINE)


def text_of(node: ast.AST) -> str:
    """A string as it stands in the program, with … where something is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    return "…"


def spoken() -> list[str]:
    return [
        text_of(node).replace("\n", " ")
        for package in ("batch", "core", "inference", "operators", "rig", "state")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp)
    ]


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    return spoken()


@pytest.mark.parametrize("quoted", QUOTED)
def test_it_is_really_said(quoted: str, sentences: list[str]) -> None:
    # what is filled in may be a constant of the program's
    pattern = ".*".join(re.escape(piece) for piece in re.split("…|KINELIFT_PYTHON", quoted))
    assert any(re.search(pattern, sentence) for sentence in sentences)


def test_enough_is_quoted() -> None:
    assert len(QUOTED) > 25


def test_the_page_on_command_lines_agrees_with_the_parsers() -> None:
    said = command_line_page.PAGE.read_text(encoding="utf-8")
    assert said == command_line_page.page(), "run .venv/bin/python -m scripts.command_line_page"
