"""examples/attention_picture.py."""

import importlib
import pathlib

import numpy as np
import pytest

from keras_bert_zh import BertEncoder, BertPreprocess

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def example():
    pytest.importorskip("mplfonts")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        yield importlib.import_module("attention_picture")


def test_it_draws_what_the_encoder_returns(example, tiny, tiny_module, tmp_path, capsys):
    file, text = tmp_path / "deep" / "picture.png", "a b c"
    example.main([text, "--checkpoint", str(tiny_module), "--output", str(file), "--block", "2"])
    encoder, preprocess = BertEncoder(tiny), BertPreprocess(tiny, max_length=16)
    maps = encoder(preprocess([text]), as_dict=True, attention=True)["attention"][1]
    tokens, drawn = example.attention(encoder, preprocess, text, 2)
    assert tokens == ["[CLS]", "a", "b", "c", "[SEP]"]
    np.testing.assert_array_equal(drawn, np.asarray(maps)[0, :, :5, :5])
    assert capsys.readouterr().out == f"Wrote {file}: {len(drawn)} heads, 5 tokens.\n"
    figure = example.draw(file, "title", tokens, drawn)
    squares = [axes for axes in figure.axes if axes.images]
    for square, head in zip(squares, drawn, strict=True):
        np.testing.assert_array_equal(square.images[0].get_array(), head)
    assert [label.get_text() for label in squares[0].get_yticklabels()] == tokens


def test_what_it_refuses(example, tiny_module, tmp_path):
    file = tmp_path / "notes.png"
    file.write_text("mine")
    with pytest.raises(SystemExit, match=r"notes\.png was not written by this example"):
        example.main(["--output", str(file)])
    with pytest.raises(SystemExit, match=r"--block must be from 1 to 2 for .*, got 3"):
        example.main(
            ["--checkpoint", str(tiny_module), "--block", "3", "--output", str(tmp_path / "new")]
        )
    assert file.read_text() == "mine"
