"""examples/fill_mask.py."""

import importlib
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from keras_bert_zh import BertEncoder, BertPreprocess, MaskedLM, save_checkpoint
from tests.checkpoints.writers.variants import variant

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def example():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        yield importlib.import_module("fill_mask")


def expected_guesses(tiny, ids, position, top):
    """From the logits of every position."""
    logits = np.asarray(MaskedLM(BertEncoder(tiny), tiny)({"input_ids": np.array([ids])}))[0]
    powers = np.exp(logits[position] - logits[position].max())
    best = np.argsort(-powers)[:top]
    return [(tiny.vocabulary[token], powers[token] / powers.sum()) for token in best]


def test_every_mask_gets_a_line(example, tiny, tiny_module, capsys):
    texts = ["a[MASK]b", "[MASK][MASK] c"]
    example.main([*texts, "--top", "3", "--checkpoint", str(tiny_module)])
    a, b, c, cls, sep, mask = map(
        tiny.vocabulary.index, ["a", "b", "c", "[CLS]", "[SEP]", "[MASK]"]
    )
    rows = [
        ("a[MASK]b", None),
        ([cls, a, mask, b, sep], 2),
        ("[MASK][MASK] c", None),
        ([cls, mask, mask, c, sep], 1),
        ([cls, mask, mask, c, sep], 2),
    ]
    expected = [
        row
        if position is None
        else "  " + "  ".join(f"{t} {p:.1%}" for t, p in expected_guesses(tiny, row, position, 3))
        for row, position in rows
    ]
    assert capsys.readouterr().out.splitlines() == expected
    assert expected[3] != expected[4]


@pytest.mark.slow
def test_nothing_else_is_printed(tiny_module):
    """Not even by TensorFlow."""
    command = [sys.executable, EXAMPLES / "fill_mask.py", "a[MASK]", "--checkpoint", tiny_module]
    environment = {name: x for name, x in os.environ.items() if not name.startswith("TF_CPP")}
    result = subprocess.run(command, capture_output=True, check=False, text=True, env=environment)
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 2


def test_ten_sentences_of_its_own(example, tiny_module, capsys):
    example.main(["--checkpoint", str(tiny_module)])
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if not line.startswith(" ")] == list(example.SENTENCES)
    assert len(set(example.SENTENCES)) == 10
    guesses = [line for line in printed if line.startswith(" ")]
    assert len(guesses) == sum(text.count("[MASK]") for text in example.SENTENCES) == 11
    assert all(re.fullmatch(r"(  \S+ \d+\.\d%){5}", line) for line in guesses)


def test_what_is_written_becomes_tokens(example):
    preprocess = BertPreprocess(None, max_length=16, special_tokens_in_text=True)
    ids = example.encode("我用Keras[MASK]代码[MASK]", preprocess, 16).tolist()
    whole = preprocess("我用keras写代码。")["input_ids"].numpy().tolist()
    for character in "写。":
        whole[whole.index(preprocess.vocabulary.index(character))] = 103
    assert ids == [token for token in whole if token]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("今天天气很好", r"'今天天气很好' has no \[MASK\]: write it in place of one character\."),
        ("a[MASK]" * 32, r"'a\[MASK\]a.*' *\.\.\. has 66 tokens with .* takes 64: shorten it\."),
    ],
)
def test_texts_that_can_not_be_asked(example, tiny_module, capsys, text, message):
    """Nothing is printed of the others, either."""
    with pytest.raises(SystemExit, match=message):
        example.main(["a[MASK]", text, "--checkpoint", str(tiny_module)])
    assert capsys.readouterr().out == ""


def test_the_longest_text(example, tiny_module, capsys):
    example.main(["a[MASK]" * 31, "--top", "1", "--checkpoint", str(tiny_module)])
    assert len(capsys.readouterr().out.splitlines()) == 1 + 31


def test_a_checkpoint_without_the_head(example, tiny, tmp_path):
    save_checkpoint(variant(tiny, heads=("pooler",)), tmp_path / "bare")
    with pytest.raises(SystemExit, match="bare has no masked language model to predict tokens"):
        example.main(["--checkpoint", str(tmp_path / "bare")])


def test_top_out_of_range(example, capsys):
    with pytest.raises(SystemExit):
        example.main(["--top", "0"])
    assert "--top must be at least 1, got 0" in capsys.readouterr().err
