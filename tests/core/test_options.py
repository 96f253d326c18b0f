"""An option that is declared once is there in every way of asking for it, and wrong values are refused."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from kinelift.core.command_line import add_options, arguments_of, given
from kinelift.core.errors import CaptureError
from kinelift.core.option import Option, options_of
from kinelift.core.options import (
    CleanUp,
    KeyReduction,
    Outputs,
    RetargetSettings,
    Settings,
    check_options,
    from_plain,
    problems_of,
)
from kinelift.tests.videos import SAMPLE

ROOT = Path(__file__).resolve().parents[2]
CLASSES = (Settings, CleanUp, KeyReduction, RetargetSettings, Outputs)
EVERY = [(cls, name) for cls in CLASSES for name in options_of(cls)]


def others(one: Option) -> list[Any]:
    """Values that an option may have and doesn't have by default."""
    if one.kind is bool:
        return [not one.default]
    if one.kind is tuple:
        return [tuple(one.choices)[:1], tuple(one.choices)[1:]]
    if one.choices:
        return [choice for choice in one.choices if choice != one.default]
    if one.kind is str:
        return ["leftmost", "3", "12.5,40@1.25"]
    least, most = (max(limit, 0.0) if limit < 0 else limit for limit in one.limits)
    inside = [least + 1, least + 2] if math.isinf(most) else [least, (least + most) / 2, most]
    return [one.kind(value) for value in inside if value != one.default]


@pytest.mark.parametrize(("cls", "name"), EVERY)
def test_what_one_process_says_another_hears(cls: type, name: str) -> None:
    one = options_of(cls)[name]
    for value in others(one) + ([None] if one.optional else []):
        parser = argparse.ArgumentParser()
        add_options(parser, cls)
        heard = given(parser.parse_args(arguments_of(cls, {name: value})), cls)
        assert heard == {name: value}
        if one.kind is not bool:
            assert one.read(one.write(value)) == value


def test_what_is_not_said_is_not_heard() -> None:
    parser = argparse.ArgumentParser()
    for cls in CLASSES:
        add_options(parser, cls)
    assert [given(parser.parse_args([]), cls) for cls in CLASSES] == [{} for _ in CLASSES]


@pytest.mark.parametrize("cls", CLASSES)
def test_defaults_are_within_their_limits_and_come_back_from_json(cls: type) -> None:
    check_options(cls())
    assert from_plain(cls, json.loads(json.dumps(asdict(cls())))) == cls()


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (Settings, "fps", math.nan), (Settings, "start", math.inf), (Settings, "height", "tall"),
        (Settings, "focal", True), (Settings, "quality", "worst"), (Settings, "quality", 1),
        (Settings, "start", None),
        (Settings, "person", "nobody"), (Settings, "person", 3), (Settings, "person", "1+all"),
        (Settings, "person", "1+"), (Settings, "person", "1+2+3+4+5+6+7"), (Settings, "device", "abacus"),
        (CleanUp, "feet", 1), (CleanUp, "floor", math.nan), (CleanUp, "minimum", -0.1),
        (CleanUp, "first", 2.5), (Settings, "height", 10**400), (Settings, "start", -(10**400)),
        (Settings, "person", "x" * 10**6), (Settings, "person", "a\nb"), (Settings, "device", " cpu"),
        (RetargetSettings, "parts", (1,)), (RetargetSettings, "parts", (["hips"],)),
        (RetargetSettings, "parts", ("hips,arms",)), (Outputs, "format", ("blend",) * 1000),
        (RetargetSettings, "parts", ("tail",)), (RetargetSettings, "parts", "hips"),
        (RetargetSettings, "root_motion", "HIPS"), (Outputs, "format", ("doc",)),
    ],
)  # fmt: skip
def test_what_an_option_may_not_be_is_refused_in_a_sentence(cls: type, name: str, value: Any) -> None:
    assert len(problems_of(cls, {name: value})) == 1
    with pytest.raises(CaptureError) as error:
        from_plain(cls, {name: value})
    sentence = str(error.value)
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 400


@pytest.mark.parametrize("plain", [None, [], "fps", {"speed": 2}, {"fps": 30, "speed": 2}, [9] * 999])
def test_other_things_are_not_options(plain: Any) -> None:
    with pytest.raises(CaptureError, match="set them anew"):
        from_plain(Settings, plain)


# --- a made-up option ---

#: what its author writes, in one place
DECLARED = """
    made_up: float = option(
        0.25, "Made Up", "An option that a test made up", unit="s", limits=(0, 1), metavar="X",
        in_resolve=True,
    )
    fps:"""
#: what asks for it: a list of a batch, Blender's panel
ASKED = """
import json, os, sys
from pathlib import Path
import bpy
import kinelift
from kinelift.batch.collect import orders_of
from kinelift.batch.orders import Order
kinelift.register()
folder = Path(sys.argv[1])
(order,) = orders_of([], [folder / "list.csv"], Order(Path(), "", {}), folder / "out")
scene = bpy.context.scene.kinelift
shown = scene.bl_rna.properties["made_up"]
told = {"order": order.capture["made_up"], "range": [shown.hard_min, shown.hard_max], "label": shown.name,
        "tooltip": shown.description, "default": scene.made_up}
scene.made_up = 0.75
told["chosen"] = scene.capture_settings("cpu")["made_up"]
print(json.dumps(told), flush=True)
os._exit(0)  # bpy 4.5 would hang at the end
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with one more option."""
    folder = tmp_path_factory.mktemp("made-up")
    for room in ("batch", "inference", "operators", "rig", "state", "ui"):
        (folder / room).symlink_to(ROOT / room)
    shutil.copytree(ROOT / "core", folder / "core", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("__init__.py", "kinelift.py", "registration.py", "batch.py"):
        shutil.copy(ROOT / file, folder)
    options = folder / "core/options.py"
    text = options.read_text(encoding="utf-8")
    assert text.count("\n    fps:") == 1
    options.write_text(text.replace("\n    fps:", DECLARED), encoding="utf-8")
    return folder


def run(checkout: Path, *words: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("-m", "inference", "capture", "--help"),
        ("-m", "inference", "solve", "--help"),
        ("batch.py", "--help"),
        ("-c", "from kinelift.batch.command import main; main(['--help'], 'blender --command kinelift')"),
    ],
)
def test_a_made_up_option_is_on_every_command_line(checkout: Path, words: tuple[str, ...]) -> None:
    said = " ".join(run(checkout, *words).split())
    assert "--made-up X an option that a test made up (s; 0 to 1; default: 0.25)" in said


@pytest.mark.slow
def test_a_made_up_option_is_in_lists_and_in_blenders_panel(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "list.csv").write_text("clip,made-up\na.mp4,0.5\n", encoding="utf-8")
    told = json.loads(run(checkout, "-c", ASKED, tmp_path).splitlines()[-1])
    assert told == {
        "order": 0.5, "range": [0.0, 1.0], "label": "Made Up", "tooltip": "An option that a test made up",
        "default": 0.25, "chosen": 0.75,
    }  # fmt: skip


@pytest.mark.slow
def test_a_made_up_option_reaches_the_stages_and_stays_with_the_capture(
    checkout: Path, tmp_path: Path
) -> None:
    out, again = tmp_path / "a.npz", tmp_path / "b.npz"
    few = ("--end", "0.3", "--quality", "quick")
    run(checkout, "-m", "inference", "capture", SAMPLE, "--out", out, *few, "--made-up", "0.5")
    run(checkout, "-m", "inference", "solve", out, "--out", again, "--made-up", "0.75", "--no-feet")
    code = (
        "import sys, numpy, json\n"
        "print(json.loads(str(numpy.load(sys.argv[1])['header']))['settings']['made_up'])"
    )
    assert [run(checkout, "-c", code, path).strip() for path in (out, again)] == ["0.5", "0.75"]
