"""The report of the comparison says what was measured and what is missing."""

import re
from dataclasses import replace

import pytest

from kinelift.tests.training.comparison import TINY, figures
from kinelift.training.compare import compare
from kinelift.training.report import CLAIMS, MISSING, TEMPLATE, finished, tries_table, write_report
from kinelift.training.rows import ROWS


@pytest.mark.slow
def test_the_report_says_what_is_and_calls_missing_what_is_not(material, tmp_path):
    run, docs = tmp_path / "run", tmp_path / "docs"
    compare(["simple", "sap-net-symmetry"], TINY, material, run, "cpu")
    text = write_report(run, docs).read_text()
    for name in ("methods-rows.png", "methods-claims.png"):
        assert (docs / "images" / name).stat().st_size > 5000
        assert f"images/{name}" in text
    left = figures(run, "simple")
    line = next(line for line in text.splitlines() if line.startswith("| `simple` |"))
    assert f" {left['perfect']['mpjpe_mm']:.1f} |" in line
    assert MISSING in next(line for line in text.splitlines() if line.startswith("| `ugcn` |"))
    assert not re.search(r"\{[a-z]", text)
    asymmetry = next(line for line in text.splitlines() if "`simple` → `sap-net-symmetry`" in line)
    assert f"{left['perfect']['asymmetry_mm']:.1f} →" in asymmetry and "-25 % or less" in asymmetry
    assert {c.without for c in CLAIMS} | {c.with_it for c in CLAIMS} <= set(ROWS)
    beside = write_report(run, docs, longer=run).read_text()
    asymmetry = next(line for line in beside.splitlines() if "`simple` → `sap-net-symmetry`" in line)
    assert asymmetry.count(f"{left['perfect']['asymmetry_mm']:.1f} →") == 2
    quick = replace(TINY, rate=2.0)
    compare(["simple", "sap-net-symmetry"], quick, material, tmp_path / "quick", "cpu")
    tries = tries_table([{}, finished(run), finished(tmp_path / "quick")]).splitlines()[2:]
    rate = ROWS["sap-net-symmetry"].rate
    how = [f"| {TINY.steps} | {factor * rate:g} | {TINY.seed} |" for factor in (1, 2)]
    assert [line for line, said in zip(tries, how, strict=True) if said in line] == tries
    assert tries[0].split("|")[6] != tries[1].split("|")[6], "another rate learns something else"


def test_the_page_in_docs_has_the_words_of_the_template():
    page = (TEMPLATE.parents[1] / "docs/methods.md").read_text(encoding="utf-8")
    for words in re.split(r"\{[a-z0-9_.-]+\}", TEMPLATE.read_text(encoding="utf-8")):
        assert words in page, words
        page = page[page.index(words) + len(words) :]
