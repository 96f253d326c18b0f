"""The page on accuracy, and the one in docs."""

from kinelift.bench.accuracy_page import HEAD
from kinelift.bench.detections import ROOT


def test_the_page_in_docs_has_the_head_that_the_benchmark_writes():
    page = (ROOT / "docs/accuracy.md").read_text(encoding="utf-8")
    assert page.startswith(HEAD.format(lens="doesn't know", bones=16))
