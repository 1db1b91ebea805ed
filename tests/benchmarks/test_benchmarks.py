"""benchmarks: the harness, with ours alone and a tiny encoder. No time is asserted."""

import os
import re
import sys

import numpy as np
import pytest
from matplotlib import image

from benchmarks import growth, growth_picture, relative_picture
from benchmarks.contest import Contestant, Spread, ratios
from benchmarks.contestants.start import check_installed
from benchmarks.contestants.table import ENGINE_KINDS, FIRST_STEPS, KINDS, TRAININGS
from benchmarks.goals import Goal
from benchmarks.workloads import evenly_real, filled, make_case, operations
from tests.process import ROOT, run_python

pytestmark = pytest.mark.slow

SIZES = {"hidden_size": 3, "intermediate_size": 5, "num_hidden_layers": 2}
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


# Contestants are forks of a process that has imported what they need, and what they do is little.
QUICK = """
from benchmarks import contest
from benchmarks.contestants import encoder, ours, weights
contest.METHOD, contest.PAUSE = "fork", 0
encoder._TURN, ours.Ceiling.SHAPES = 0, ((256, 256, 256),)
"""


def run(module, *arguments):
    code = f"{QUICK}import sys; from benchmarks.{module} import main; main(sys.argv[1:])"
    return run_python(code, "--small", *arguments)


def number(cell):
    return float(re.match(r"[\d.,]+", cell)[0].replace(",", ""))


def row(report, *starts):
    """Returns the cells of the first line of a table that begins with these."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in report.splitlines()]
    return next(cells for cells in lines if tuple(cells[: len(starts)]) == starts)


class TestWorkloads:
    @pytest.mark.parametrize(("name", "tokens"), [("32x128 real", 1353), ("8x512 real", 1138)])
    def test_real_cases_are_those_that_goals_were_set_for(self, name, tokens):
        case = make_case(name)
        assert case.lengths.sum() == tokens
        assert not case.inputs["input_ids"][~case.mask].any()
        assert case.inputs["input_ids"][case.mask].min() >= 1000

    def test_full_cases_have_no_padding(self):
        assert make_case("1x16").mask.all()
        assert make_case("8x128 full").mask.shape == (8, 128)

    def test_cases_that_grow(self):
        assert (filled(4, 20, 0.25).lengths == 5).all()
        lengths = evenly_real(32, 128).lengths
        assert (np.diff(lengths) >= 0).all()
        assert np.median(lengths) == pytest.approx(32, abs=1)

    def test_operations_are_those_of_each_matrix_product(self):
        lengths, width, inner = np.array([2, 4]), 3, 5

        def product(rows, shared, columns):
            return 2 * rows * shared * columns

        def dense(tokens, count):
            return count * product(tokens, width, width)

        def feed_forward(tokens):
            return product(tokens, width, inner) + product(tokens, inner, width)

        def attention(queries):
            pairs = zip(queries, lengths, strict=True)
            return sum(product(q, width, n) + product(q, n, width) for q, n in pairs)

        whole = dense(6, 4) + feed_forward(6) + attention(lengths)
        last = dense(6, 2) + dense(2, 2) + feed_forward(2) + attention([1, 1])
        pooler = dense(2, 1)
        assert operations(lengths, SIZES, sequence=True) == 2 * whole + pooler
        assert operations(lengths, SIZES, sequence=False) == whole + last + pooler


class TestContest:
    def test_an_error_over_there_is_raised_here(self):
        contestant = Contestant("array:array", "b", environment={}, all_cores=True)
        assert contestant.phases.keys() == {"import", "load"}
        contestant.call("append", 1)
        assert contestant.call("tolist").value == [1]
        with pytest.raises(RuntimeError, match="OverflowError"):
            contestant.call("append", 1000)
        contestant.close()

    def test_the_environment_is_set_for_the_contestant_alone(self):
        contestant = Contestant(
            "string:Template", "$x", environment={"BENCHMARK": "1"}, all_cores=True
        )
        assert "BENCHMARK" not in os.environ
        contestant.close()

    def test_a_process_that_dies_says_why(self):
        with pytest.raises(RuntimeError, match="ended with 3"):
            Contestant("os:_exit", 3, environment={})

    def test_ratios_are_of_values_of_one_round(self):
        assert ratios([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == Spread(2.0, 1.0, 3.0)


class TestGoals:
    @pytest.mark.parametrize(
        ("median", "verdict"), [(3.0, "aim reached"), (2.5, "reached"), (1.9, "missed")]
    )
    def test_the_median_decides(self, median, verdict):
        goal = Goal("speed", "case", 2.0, 3.0)
        assert goal.verdict(Spread(median, 0.0, 9.0)) == verdict

    def test_less_memory_is_better(self):
        goal = Goal("memory", "case", 0.55, 0.35, at_most=True)
        found = [goal.verdict(Spread(value, 0, 1)) for value in (0.3, 0.5, 0.6)]
        assert found == ["aim reached", "reached", "missed"]
        assert goal.verdict(None) == "not measured"


def test_missing_peers_are_named_with_the_line_that_installs_them():
    check_installed({"numpy": "numpy"})
    with pytest.raises(SystemExit, match=r"some-peer missing: make bench-peers"):
        check_installed({"numpy": "numpy", "no_such_peer": "some-peer"})


def test_every_contestant_can_be_found():
    """Modules are imported in other processes alone, where peers are installed."""
    tables = (KINDS, ENGINE_KINDS, TRAININGS, FIRST_STEPS)
    for kind in (kind for table in tables for kind in table.values()):
        for make in (kind.make, *kind.writers):
            module, _, name = make.partition(":")
            path = ROOT / f"{module.replace('.', '/')}.py"
            assert f"class {name}" in path.read_text()


def test_encoder_reports_times_goals_and_differences():
    cases = ("1x16", "8x128 full", "32 reviews as text")
    report = run(
        "encoder", "--rounds", "2", "--only", "ours-float32", "ours-bfloat16", "--cases", *cases
    )
    assert "**8x128 full: 1,024 real tokens of 1,024.**" in report
    assert number(row(report, "ours float32, `predict`")[1]) > 0
    assert row(report, "bfloat16 against OpenVINO bfloat16", "1x16")[-1] == "not measured"
    for dtype in ("float32", "bfloat16"):
        assert number(row(report, f"share of the ceiling, {dtype}")[4]) > 0
        assert number(row(report, f"the ceiling, {dtype}")[1]) > 0
    assert row(report, "ours-float32")[1:] == ["0.0e+00", "0.0e+00"]
    assert 0 < float(row(report, "ours-bfloat16")[1]) < 0.1


def test_engines_reports_times_goals_and_exports():
    names = ("ours-onnxruntime-float32", "ours-onnxruntime-int8", "ours-openvino-bfloat16")
    report = run("engines", "--rounds", "1", "--only", *names, "--cases", "8x128 full")
    assert number(row(report, "OpenVINO bfloat16, ours")[1]) > 0
    assert row(report, "ONNX Runtime int8", "8x128 full")[-1] == "not measured"
    assert 0.99 < float(row(report.partition("Pooled")[2], "ONNX Runtime int8, ours")[2]) <= 1
    facts = row(report.partition("Our exports.")[2], "ours_float32")
    assert int(facts[-1]) <= 60


def test_profile_lists_kinds_of_operations():
    report = run("profile")
    assert report.count("the floor is") == 5
    kinds = [line.split("|")[1].strip() for line in report.splitlines() if "%" in line]
    assert kinds.count("Softmax") + kinds.count("_MklSoftmax") >= 1, kinds
    shares = re.findall(r"([\d.]+)%", report.partition("**a step")[0])
    assert sum(map(float, shares)) == pytest.approx(300, abs=2)


@LINUX
def test_finetune_reports_times_memory_and_goals():
    names = ("ours float32", "ours float32, `remat=True`")
    report = run("finetune", "--rounds", "1", "--only", *names)
    for name in names:
        assert number(row(report, name)[-1]) > 0  # The first step: a tiny one rounds to nothing.
    memory = report.partition("Memory is")[2]
    for name in names:
        _, peak, added = row(memory, name)
        assert number(peak) > number(added) > 0
    assert row(report, "fine-tuning, float32 against Keras Hub jit float32")[-1] == "not measured"


def test_first_step_reports_tracing_and_the_version_before():
    name = "small, TextClassifier"
    report = run("first_step", "--rounds", "1", "--only", name, "--before", ROOT)
    now, before = (row(part, name) for part in report.split("Before, and times"))
    assert number(now[1]) > number(now[3]) > 0
    assert now[4] == before[-2] == "1"
    assert number(now[5]) == number(before[-1]) > 100


def test_growth_draws_three_plots(tmp_path):
    picture = tmp_path / "speed.png"
    options = ["--rounds", "2", "--only", "ours-float32", "--most", "1", "--picture", picture]
    report = run("growth", *options)
    assert number(row(report, "1")[2]) > 0
    assert image.imread(picture).shape == (540, 1440, 4)


def test_the_picture_has_a_line_a_contestant(tmp_path):
    chosen = growth.all_series(3)
    names = {"ours-float32": "ours", "openvino-bfloat16": "OpenVINO"}
    medians = {
        (case.name, key): 0.1
        for series in chosen
        for case in series.cases.values()
        for key in names
    }
    figure = growth_picture.draw(tmp_path / "speed.png", chosen, names, medians)
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 2]
    assert list(figure.axes[0].lines[0].get_ydata()) == [100.0] * 3


def test_the_picture_of_the_readme_has_the_figures_of_the_results(tmp_path):
    found = relative_picture.figures(relative_picture.RESULTS.read_text("utf-8"), "32x128 reviews")
    assert found["ours float32"][1] == found["ours bfloat16"][2] == 1
    figure = relative_picture.draw(tmp_path / "speed.png", found)
    bars = [[bar.get_width() for bar in axes.patches] for axes in figure.axes]
    assert [len(widths) for widths in bars] == [6, 4]
    assert bars[0][1] == found["OpenVINO float32"][1]
    assert image.imread(tmp_path / "speed.png").shape == (460, 1440, 4)
