"""Blender's properties say what the options declare, and give the options back."""

from __future__ import annotations

import math
from collections.abc import Iterator

import bpy
import pytest

import kinelift
from kinelift.core.option import Option
from kinelift.core.options import CleanUp, RetargetSettings, Settings
from kinelift.state.derived import panel_options, use, values_of

#: where the scene keeps the options of each class
GROUPS = {Settings: "kinelift", CleanUp: "kinelift.clean_up", RetargetSettings: "kinelift_retarget"}
SHOWN = [(cls, one) for cls in GROUPS for one in panel_options(cls).values()]


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    kinelift.register()
    yield
    kinelift.unregister()


def group_of(cls: type) -> bpy.types.PropertyGroup:
    found: bpy.types.PropertyGroup = bpy.context.scene.path_resolve(GROUPS[cls])
    return found


def cases() -> list[object]:
    return [pytest.param(cls, one, id=f"{cls.__name__}.{one.name}") for cls, one in SHOWN]


@pytest.mark.parametrize(("cls", "one"), cases())
def test_a_property_has_the_label_the_help_the_limits_and_the_default(cls: type, one: Option) -> None:
    shown = group_of(cls).bl_rna.properties[one.name]
    assert (shown.name, shown.description) == (one.label, one.help)
    default = one.suggestion if one.optional else one.default
    if shown.type in ("FLOAT", "INT"):
        assert shown.type == ("INT" if one.kind is int else "FLOAT")
        assert shown.default == pytest.approx(default)
        for found, declared in zip((shown.hard_min, shown.hard_max), one.limits, strict=True):
            assert math.isinf(declared) or found == pytest.approx(declared)
    elif shown.type == "ENUM":
        assert {item.identifier: item.description for item in shown.enum_items} == dict(one.choices)
        assert (shown.default_flag if shown.is_enum_flag else shown.default) == (
            set(default) if one.kind is tuple else default
        )
    else:
        assert shown.type == "BOOLEAN" and shown.default == default


@pytest.mark.parametrize("cls", GROUPS)
def test_the_defaults_of_a_new_scene_are_those_of_the_options(cls: type) -> None:
    assert values_of(group_of(cls), cls) == {name: one.default for name, one in panel_options(cls).items()}


@pytest.mark.parametrize("cls", GROUPS)
def test_an_optional_value_counts_where_it_is_known(cls: type) -> None:
    group = group_of(cls)
    for name, one in panel_options(cls).items():
        if one.optional:
            assert group.bl_rna.properties[use(name)].description == one.help
            setattr(group, use(name), True)
            assert values_of(group, cls)[name] == pytest.approx(one.suggestion)
