"""The notebook runs from top to bottom, and shows what it showed when it was saved."""

import ast

import nbclient
import nbformat
import pytest

from tests.pages import ROOT

NOTEBOOK = ROOT / "examples" / "quickstart.ipynb"


def _texts(notebook):
    """Returns what each cell printed or returned."""
    return [
        "".join(output.get("text", "") or output["data"]["text/plain"] for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
def test_it_runs_and_shows_what_it_showed(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    saved = nbformat.read(NOTEBOOK, as_version=4)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=place).execute()
    shown = _texts(notebook)
    # Training ends in other last digits on other processors; all the rest is exact.
    assert shown[:5] == _texts(saved)[:5]
    before, after = map(float, shown[6].split()[1::2])
    assert after < before / 2
    answers = ast.literal_eval(shown[7])
    assert [label for label, _ in answers] == ["好评", "差评"]
    assert shown[8] == "np.True_"


def test_it_was_saved_as_it_ran():
    cells = [
        cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"
    ]
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
