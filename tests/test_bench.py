"""What bench makes of samples and measurements."""

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import chart, pages, report, stacks
from bench.chart import Panel
from tests.live import ROOT

RAW = """\
process 1:"python";run (threading.py:971);Threads._run (config/threads.py:30);get (tasks/api.py:1);dump (json.py:2) 3
process 1:"python";Worker.run (config/worker.py:49);select (selectors.py:451) 1
process 1:"python";torn (django/http/request.py:1) 9
"""


def test_a_stack_is_read_from_the_server_on() -> None:
    in_operation = ("Threads._run (config/threads.py:30)", "get (tasks/api.py:1)", "dump (json.py:2)")
    in_loop = ("Worker.run (config/worker.py:49)", "select (selectors.py:451)")
    assert stacks.read(RAW) == Counter({in_operation: 3, in_loop: 1})


def test_the_library_works_for_its_caller() -> None:
    assert stacks.shares(stacks.read(RAW)) == {"server": 0.25, "operation": 0.75}


def test_our_files_that_make_a_layer_exist() -> None:
    named = [
        file for files in stacks.LAYERS.values() for file in files if file.startswith(("config", "authjwt", "tasks"))
    ]
    assert [file for file in named if not (ROOT / (f"{file}py" if file.endswith(".") else file)).exists()] == []


def test_a_flame_graph_has_a_box_for_each_call() -> None:
    titles = [
        title.text for title in _parsed(stacks.picture({"GET one": stacks.read(RAW)})).iterfind(".//{*}g/{*}title")
    ]
    assert "get (tasks/api.py:1): 75.0 %" in titles
    assert len(titles) == 5


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_measured_tables_are_those_of_the_results(page: Path) -> None:
    """`make bench` writes both."""
    text = page.read_text()
    assert pages.renewed(text, pages.read()) == text, "run `python -m bench.pages`"


def test_the_report_is_that_of_the_results() -> None:
    assert report.markdown(pages.read()) == (pages.RESULTS.parent / "results.md").read_text()


def test_a_panel_has_a_line_for_each_name() -> None:
    panel = Panel("Title", "tasks", {"a < b": [(10, 1.5), (100, 15)], "c": [(10, 2)]})
    svg = _parsed(chart.panels("Plots", [panel]))
    assert len(svg.findall(".//{*}path[@fill]")) == 2
    assert len(svg.findall(".//{*}circle")) == 3


def _parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 (ours)
