"""What a batch believes of a worker's answer: what it would have made itself, and nothing else."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kinelift.batch.answers import made_from, packed, sentence, texts, unpacked
from kinelift.batch.orders import Order
from kinelift.tests.batch.test_collect import COMMON

ORDER = replace(COMMON, clip=Path("/clips/a.mp4"), name="day 1/a")
MADE: dict[str, Any] = {
    "folder": "elsewhere", "files": {}, "frames": 5, "fps": 30.0, "detected": 1, "confidence": 0.5,
    "memory": 0.0, "strip": "<svg/>", "warnings": ["Feet were hidden."],
    "others": [],
}  # fmt: skip


def sent(change: Callable[[dict[str, Any], dict[str, bytes]], None] = lambda *_: None) -> bytes:
    """An answer with the files of the order, changed by `change`."""
    made, contents = copy.deepcopy(MADE), {name: name.encode() * 3 for name in sorted(ORDER.files)}
    made["files"] = {name: len(content) for name, content in contents.items()}
    change(made, contents)
    return packed({"made": made}, contents)


def test_an_answer_arrives_as_it_was_sent(tmp_path: Path) -> None:
    made = made_from(*unpacked(sent()), ORDER, tmp_path)
    folder = Path(made.folder)
    assert folder.parent == tmp_path and made.files.keys() == ORDER.files
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {n: n.encode() * 3 for n in ORDER.files}
    assert (made.frames, made.fps, made.detected, made.warnings) == (5, 30.0, 1.0, ("Feet were hidden.",))


ANOTHER: dict[str, Any] = {"detected": 0.5, "confidence": 0.25, "strip": "", "warnings": ["They left."]}


def test_everybody_arrives(tmp_path: Path) -> None:
    order = replace(ORDER, capture={"person": "all"})

    def of_two(made: dict[str, Any], contents: dict[str, bytes]) -> None:
        contents.update(dict.fromkeys(order.files_of(2), b"12345"))
        made.update(files=dict.fromkeys(contents, 5), others=[ANOTHER])

    made = made_from(*unpacked(sent(of_two)), order, tmp_path)
    (other,) = made.others
    assert (other.detected, other.confidence, other.warnings) == (0.5, 0.25, ("They left.",))
    assert made.files.keys() == order.files_of(2)
    with pytest.raises(ValueError, match="people"):  # nobody asked for them
        made_from(*unpacked(sent(of_two)), ORDER, tmp_path)
    for number in (2, 6):  # others than the files say, and too many

        def of_more(made: dict[str, Any], contents: dict[str, bytes], number: int = number) -> None:
            of_two(made, contents)
            made["others"] = [ANOTHER] * number

        with pytest.raises(ValueError, match=r"its files|its people"):
            made_from(*unpacked(sent(of_more)), order, tmp_path)


def shared(folder: Path, staging: Path, order: Order = ORDER) -> bytes:
    """An answer of a worker that says it wrote `folder`, which holds the order's files."""
    folder.mkdir(exist_ok=True)
    for name in order.files:
        if not (folder / name).exists():
            (folder / name).write_bytes(b"12345")
    return packed({"made": {**MADE, "folder": str(folder), "files": dict.fromkeys(order.files, 5)}})


def test_a_shared_folder_is_one_of_the_batch(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    assert made_from(*unpacked(shared(staging / "tmp1", staging)), ORDER, staging).folder == str(
        staging / "tmp1"
    )
    (staging / "link").symlink_to(tmp_path)
    for other in (
        tmp_path / "other",
        staging,
        staging / "..",
        staging / "tmp1/..",
        staging / "link",
        Path("/"),
    ):
        answer = packed({"made": {**MADE, "folder": str(other), "files": dict.fromkeys(ORDER.files, 5)}})
        with pytest.raises(ValueError, match=r"isn't one of this batch"):
            made_from(*unpacked(answer), ORDER, staging)


def test_a_shared_folder_has_the_files_and_no_links(tmp_path: Path) -> None:
    name = sorted(ORDER.files)[0]
    (tmp_path / "secret").write_bytes(b"12345")
    linked, short = tmp_path / "linked", tmp_path / "short"
    linked.mkdir()
    (linked / name).symlink_to(tmp_path / "secret")
    short.mkdir()
    (short / name).write_bytes(b"1234")
    for folder in (linked, short):
        with pytest.raises(ValueError, match=r"isn't there in full"):
            made_from(*unpacked(shared(folder, tmp_path)), ORDER, tmp_path)


def rename(name: str) -> Callable[[dict[str, Any], dict[str, bytes]], None]:
    def change(made: dict[str, Any], contents: dict[str, bytes]) -> None:
        contents[name] = contents.pop("a.bvh")
        made["files"][name] = made["files"].pop("a.bvh")

    return change


def tell(field: str, value: Any) -> Callable[[dict[str, Any], dict[str, bytes]], None]:
    return lambda made, _contents: made.update({field: value})


@pytest.mark.parametrize(
    "change",
    [
        *map(rename, ("../../escaped.txt", "/tmp/x", "b.bvh", "..", "", "a.bvh\0", "sub/a.bvh", "A.BVH")),
        *(tell("frames", value) for value in (-1, 1.5, "5", None, True, 10**30)),
        *(tell("fps", value) for value in (-1, float("nan"), float("inf"), "30", None, [])),
        *(tell("detected", value) for value in (1.01, -0.1, float("nan"), True)),
        tell("confidence", 2), tell("memory", "much"), tell("strip", 5), tell("strip", "x" * (2 << 20)),
        tell("warnings", "text"), tell("warnings", [5]), tell("warnings", ["x"] * 2000), tell("folder", 5),
        *(tell("others", value) for value in (None, {}, [ANOTHER], ["x"])),
        tell("files", []), tell("files", {}), tell("files", {"a.bvh": -1}),
        lambda _made, contents: contents.update({"a.bvh": b"short"}),
        lambda _made, contents: contents.update({"more.txt": b""}),
        lambda made, contents: (made["files"].pop("a.bvh"), contents.pop("a.bvh")),
    ],
)  # fmt: skip
def test_what_no_worker_makes_is_refused_before_anything_is_written(
    tmp_path: Path, change: Callable[[dict[str, Any], dict[str, bytes]], None]
) -> None:
    staging = tmp_path / "out/staging"
    staging.mkdir(parents=True)
    with pytest.raises((ValueError, TypeError, AttributeError)):
        made_from(*unpacked(sent(change)), ORDER, staging)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [] and list(staging.iterdir()) == []


@pytest.mark.parametrize(
    "answer",
    [
        None, {"made": {}}, "text", 5, b"", b"\xff\xfe\n", b"no json\n", b"[" * 100_000, b"9" * 5000,
        pickle.dumps({"made": {}}),
    ],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_what_is_no_answer(answer: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpacked(answer)


def test_texts_are_fit_for_sentences() -> None:
    assert sentence("a\x1b[2J\nb") == "a\\x1b[2J\\nb" and len(sentence("word " * 10_000)) <= 2000
    assert texts(["ok", "tab\t"]) == ["ok", "tab\\t"]


#: how a program ends that refuses pickles and then loads the one in its argument
_LOADS = """
import pickle, sys
from kinelift.batch.answers import RefusedError, refuse_pickles
refuse_pickles()
assert pickle.loads(pickle.dumps([bytes, b"1", {"2": (3.0, None)}])) == [bytes, b"1", {"2": (3.0, None)}]
for load in (pickle.loads, pickle._loads):
    try:
        load(bytes.fromhex(sys.argv[1]))
    except RefusedError as error:
        print(error)
"""


class _Runs:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path, protocol: int) -> None:
    evil = pickle.dumps(_Runs(tmp_path / "ran"), protocol).hex()
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", f"import kinelift\n{_LOADS}", evil],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["a pickle names posix.mkdir"] * 2, done.stderr
    assert not (tmp_path / "ran").exists()
    pickle.loads(bytes.fromhex(evil))  # noqa: S301 - here it runs
    assert (tmp_path / "ran").exists()


def test_json_of_every_answer_is_one_line() -> None:
    header, contents = unpacked(packed({"error": "two\nlines"}, {"a": b"1\n2", "b": b"3"}))
    assert (header["error"], bytes(contents), header["contents"]) == (
        "two\nlines",
        b"1\n23",
        {"a": 3, "b": 1},
    )
    assert unpacked(json.dumps(["cv2"]).encode()) == (["cv2"], memoryview(b""))
