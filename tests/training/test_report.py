"""The report of the comparison says what was measured and what is missing."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from kinelift.tests.training.comparison import SEED, TINY, figures
from kinelift.training.claims import CLAIMS, Claim
from kinelift.training.compare import compare, result_file
from kinelift.training.report import MISSING, PLACE, SETS, TEMPLATE, change, cost, finished, write_report
from kinelift.training.rows import ROWS


def line_of(text, begin):
    return next(line for line in text.splitlines() if line.startswith(begin))


@pytest.mark.slow
def test_the_report_says_what_is_and_calls_missing_what_is_not(material, tmp_path):
    results, docs = tmp_path / "results", tmp_path / "docs"
    names = ["simple", "sap-net-symmetry"]
    compare(names, [SEED, 12], TINY, material, results, tmp_path, "cpu")
    text = write_report(results, docs).read_text()
    for name in ("methods-rows.png", "methods-claims.png", "methods-curves.png"):
        assert (docs / "images" / name).stat().st_size > 5000
        assert f"images/{name}" in text
    mean = np.mean([figures(results, "simple", seed)["perfect"]["asymmetry_mm"] for seed in (SEED, 12)])
    assert f" {mean:.1f} |" in line_of(text, "| `simple` |")
    missing = line_of(text, "- Missing")
    assert "`simple` (seed 13)" in missing and "`ugcn`," in missing
    assert not re.search(PLACE, text)
    asymmetry = line_of(text, "| SAP-Net: symmetry loss |")
    assert f"{mean:.1f} →" in asymmetry and "-25 % or less" in asymmetry
    assert MISSING in line_of(text, "| UGCN: U shape |")
    # at equal time, once steps of one row are dearer
    path = result_file(results, "steps", "sap-net-symmetry", SEED)
    dearer = json.loads(path.read_text())
    path.write_text(json.dumps(dearer | {"seconds": [10 * dearer["seconds"][0]]}))
    assert f"| {MISSING} | {MISSING} |" in line_of(write_report(results, docs).read_text(), "| SAP-Net: symm")
    compare(names, [SEED], replace(TINY, seconds=0.2), material, results, tmp_path, "cpu")
    line = line_of(write_report(results, docs).read_text(), "| SAP-Net: symmetry loss |")
    assert line.count("→") == 4 and MISSING not in line
    assert line.count("one seed") == 1  # at equal steps there are two


def left_by(name, clips, budget=0, **more):
    return {
        "row": name, "budget": budget, "seconds": [5.0],
        "perfect": {"mpjpe_mm": float(np.mean(clips)), "clips": {"mpjpe_mm": clips}}, **more,
    }  # fmt: skip


def test_changes_are_paired_by_clip_and_seed():
    claim = Claim("", "simple", "sap-net")
    before = {seed: left_by("simple", [50.0, 150.0]) for seed in (1, 2, 3)}
    after = {seed: left_by("sap-net", [45.0, 145.0]) for seed in (2, 3, 4)}
    found = change(claim, {"simple": before, "sap-net": after})
    assert (found.before, found.after) == (100, 95)
    assert found.low == found.high == -5  # however much clips differ from each other
    assert str(found) == "100.0 → 95.0 (-5.0 %; -5.0 to -5.0)"
    assert change(claim, {"simple": before, "sap-net": {1: left_by("sap-net", [1.0, 2.0], 1)}}) is None
    assert change(claim, {"simple": before}) is None
    assert change(replace(claim, group="noisy"), {"simple": before, "sap-net": after}) is None


def test_a_row_costs_what_the_row_inside_of_it_costs_too():
    rows = {name: {1: left_by(name, [1.0, 2.0])} for name in ("sap-net-half", "tp-net-online")}
    assert cost(rows, "sap-net-half") == 5 and cost(rows, "tp-net-online") == 10
    assert cost({"tp-net-online": rows["tp-net-online"]}, "tp-net-online") is None


def test_figures_of_a_row_that_has_changed_since_dont_count(tmp_path):
    path = result_file(tmp_path, "steps", "simple", 1)
    path.parent.mkdir()
    path.write_text(json.dumps({"row": {"rate": 1.0}, "seed": 1}))
    assert finished(tmp_path, "steps") == {}


def test_every_claim_and_every_place_of_the_words_names_rows_and_sets_that_there_are():
    assert {c.without for c in CLAIMS} | {c.with_it for c in CLAIMS} <= set(ROWS)
    for place in re.findall(PLACE, TEMPLATE.read_text(encoding="utf-8")):
        if "." in place:
            names, group, _ = place.split(".")
            assert set(names.split(">")) <= set(ROWS) and group in SETS, place


def test_the_page_in_docs_has_the_words_of_the_template():
    page = (TEMPLATE.parents[1] / "docs/methods.md").read_text(encoding="utf-8")
    for words in re.split(PLACE, TEMPLATE.read_text(encoding="utf-8"))[::2]:
        assert words in page, words
        page = page[page.index(words) + len(words) :]
