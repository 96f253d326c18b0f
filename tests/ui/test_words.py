"""What the artist reads: everything has a tooltip, and Blender can translate all words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

import kinelift
from kinelift.registration import CLASSES

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for package in ("operators", "state", "ui") for path in (ROOT / package).glob("*.py"))
#: functions whose literal text Blender translates
SHOWN = {"label", "operator", "prop", "menu", "progress", "report", "header_text_set", "poll_message_set"}


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    kinelift.register()
    yield
    kinelift.unregister()


def rna(cls: type) -> bpy.types.Struct:
    if issubclass(cls, bpy.types.Operator):
        module, name = cls.bl_idname.split(".")
        return getattr(getattr(bpy.ops, module), name).get_rna_type()
    return cls.bl_rna


def own_properties(cls: type) -> list[bpy.types.Property]:
    inherited = {p.identifier for p in cls.bl_rna.base.properties}
    return [p for p in rna(cls).properties if p.identifier not in inherited and not p.is_hidden]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_everything_has_a_tooltip(cls: type) -> None:
    if issubclass(cls, bpy.types.Operator):
        assert cls.bl_label and rna(cls).description
        assert not rna(cls).description.endswith(".")  # Blender adds it
    if issubclass(cls, bpy.types.Panel | bpy.types.FileHandler):
        assert cls.bl_label
    for prop in own_properties(cls):
        assert prop.description, prop.identifier
        assert not prop.description.endswith("."), prop.identifier
        for item in prop.enum_items if prop.type == "ENUM" else ():
            assert item.name and item.description, (prop.identifier, item.identifier)


def test_a_greyed_button_says_why() -> None:
    greyed = 0
    for cls in (one for one in CLASSES if issubclass(one, bpy.types.Operator)):
        operator = getattr(bpy.ops.kinelift, cls.bl_idname.partition(".")[2])
        if not operator.poll():
            greyed += 1
            with pytest.raises(RuntimeError) as caught:
                operator()
            assert "context is incorrect" not in str(caught.value), cls
    assert greyed > 10


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def words(node: ast.AST) -> str:
    """The letters in the literal parts of an f-string."""
    parts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return "".join(letter for part in parts for letter in part if letter.isalpha())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_words_are_translated_before_names_and_numbers_are_filled_in(path: Path) -> None:
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        if name_of(call) == "format" and isinstance(call.func, ast.Attribute):
            assert not isinstance(call.func.value, ast.Constant), ast.unparse(call)
        if name_of(call) in SHOWN:
            shown = [*call.args, *(k.value for k in call.keywords if k.arg in {"text", "heading"})]
            for argument in shown:
                if isinstance(argument, ast.JoinedStr):
                    literal = [v for v in argument.values if isinstance(v, ast.Constant)]
                    assert not any(words(v) for v in literal), ast.unparse(call)
