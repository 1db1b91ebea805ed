"""The tokeniser in plain Python, against the one in the graph."""

import random

import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess
from keras_bert_zh.text.plain import PlainTokenizer
from keras_bert_zh.text.plain_prompt import prompted
from keras_bert_zh.text.plain_rows import PlainPreprocess
from keras_bert_zh.text.prompt import with_prompt
from keras_bert_zh.text.unicode_tables import load_tables
from keras_bert_zh.vocabulary import SPECIAL_TOKENS, chinese_vocabulary
from tests.process import run_anew
from tests.text.every_code_point import CODES
from tests.text.random_text import LETTERS, ODDITIES, random_texts
from tests.text.test_tokenizer import SPECIAL

TABLES = load_tables()
# The characters that tables name, and some of the ideographs and of the others.
NAMED = TABLES.removed | TABLES.whitespace | TABLES.punctuation | TABLES.cased | TABLES.ignorable
NAMED = sorted(NAMED | {*TABLES.lowered} - {*range(0xAC00, 0xD7A4)} | {0x1734, *CODES[::53]})
PIECES = [*LETTERS, *ODDITIES, *SPECIAL_TOKENS, *"中国abAΑ .'-[]#", "unaffable", "##b", "[mask]"]


def every(pattern, codes, count=4096):
    """Texts in which each code point stands in that pattern."""
    for start in range(0, len(codes), count):
        yield "\n".join(pattern.replace("{}", chr(code)) for code in codes[start : start + count])


def hard_texts(count):
    """Texts that UTF-8 can encode."""
    generator = random.Random(7)
    texts = [text.decode(errors="ignore") for text in random_texts(count, chinese_vocabulary(), 9)]
    texts += ["".join(generator.choices(PIECES, k=generator.randrange(12))) for _ in range(count)]
    return [*SPECIAL, *texts]


def mismatches(texts, plain, layer):
    """Texts whose tokens differ, or are others without places."""
    columns = (column.to_list() for column in layer.tokenize(texts, offsets="characters"))
    rows = zip(texts, *columns, strict=True)
    return [
        text for text, *row in rows if row != [*plain.tokens(text)] or row[0] != plain.ids(text)
    ]


@pytest.fixture(scope="module", params=[True, False], ids=["lowercase", "cased"])
def lowercase(request):
    return request.param


@pytest.fixture(scope="module")
def layer(lowercase):
    return BertPreprocess(None, lowercase=lowercase)


@pytest.fixture(scope="module")
def plain(lowercase):
    return PlainTokenizer(chinese_vocabulary(), lowercase)


PATTERNS = ("{} a{}b 中{}国", "{}Σ A{}Σ AΣ{}A")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_code_points_that_tables_name(plain, layer, pattern):
    assert mismatches([*every(pattern, NAMED)], plain, layer) == []


@pytest.mark.slow
def test_every_code_point(plain, layer):
    texts = [*every("a{}b", CODES, 1 << 14)]
    assert [plain.ids(text) for text in texts] == layer.tokenize(texts).to_list()


def test_hard_texts(plain, layer):
    assert mismatches(hard_texts(4000), plain, layer) == []


def test_special_tokens_in_text(lowercase):
    layer = BertPreprocess(None, lowercase=lowercase, special_tokens_in_text=True)
    plain = PlainTokenizer(chinese_vocabulary(), lowercase, special_tokens_in_text=True)
    assert mismatches(hard_texts(1000), plain, layer) == []
    assert plain.ids("天[MASK]") == [1921, 103]


@pytest.mark.parametrize("lowercase", [True, False])
def test_other_vocabularies(lowercase):
    """Repeated, empty and very long tokens, and words of up to 200 characters."""
    vocabulary = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "", "b", "a", "##b", "##", "##aa", "##a")
    vocabulary += ("[5]", "c" * 200, "c" * 201, "[UNK]", "a\U00011f43b", "é", "##中")
    layer = BertPreprocess(vocabulary=[*vocabulary], lowercase=lowercase)
    plain = PlainTokenizer(vocabulary, lowercase)
    texts = ["a b ab", "[5]", "## a##", "", "a" * 200 + " b", "a" * 201 + " b", "b  " + "aé" * 300]
    texts += [
        "c" * 200,
        "c" * 201,
        "c" * 202,
        "a\U00011f43b \U00011f43",
        "é e\u0301",
        "a中",
        "é" * 201,
    ]
    assert mismatches(texts, plain, layer) == []
    assert plain.ids("b x" + "c" * 200 + " " + "c" * 201) == [6, 15, 15]


def test_lone_surrogates_are_dropped(plain, layer):
    for text in ("很\ud800好", "\udfffab\ud83d", "Α\ud800Σ\udc00"):
        assert plain.ids(text) == layer.tokenize(text).numpy().tolist()
    assert plain.tokens("\ud800很") == ([2523], [1], [2])


@pytest.mark.parametrize("unit", ["x", "ΑΣ.", "a\u200b", "今天 hello，"])
def test_time_grows_with_the_text_and_no_faster(plain, unit):
    """Quadratic time would be minutes."""
    text = unit * (300_000 // len(unit))
    assert plain.tokens(text).ids == plain.ids(text)


def packed(layer, plain, texts, pairs):
    """Rows of the layer without padding, and plain ones."""
    outputs = layer(texts if pairs is None else (texts, pairs))
    columns = [outputs[key].numpy().tolist() for key in ("input_ids", "segment_ids")]
    sizes = outputs["input_mask"].numpy().sum(1)
    theirs = [
        tuple(row[:size] for row in rows)
        for *rows, size in zip(*columns, sizes.tolist(), strict=True)
    ]
    return theirs, [
        plain.row(text, pair)
        for text, pair in zip(texts, pairs or [None] * len(texts), strict=True)
    ]


@pytest.mark.parametrize("max_length", [3, 4, 5, 6, 7, 12])
def test_rows(max_length):
    layer = BertPreprocess(None, max_length=max_length, warn_of_cuts=False)
    plain = PlainPreprocess(chinese_vocabulary(), lowercase=True, max_length=max_length)
    sizes = range(max_length + 2)
    texts = ["一二三四五六七八九十" * 2] * 2
    texts, pairs = zip(
        *((texts[0][:a], texts[1][::-1][:b]) for a in sizes for b in sizes), strict=True
    )
    theirs, ours = packed(layer, plain, [*texts], [*pairs])
    assert theirs == [row[:2] for row in ours]
    lengths = [len(a) + len(b) + (3 if b else 2) for a, b in zip(texts, pairs, strict=True)]
    assert lengths == [row.length for row in ours]
    theirs, ours = packed(layer, plain, hard_texts(50), None)
    assert theirs == [row[:2] for row in ours]
    for row in ours:
        assert row.length >= len(row.input_ids) == len(row.segment_ids) <= max_length


KEYS = ("input_ids", "segment_ids", "is_max_context", "starts", "ends")
QUESTIONS = ["谁？", "", "很长的问题，不是吗？真的很长", "[MASK] 吗"]
LONG = ["今天天气很好，我们去 park 吧。" * 3, "", "unaffable 很好", "一二三四五六七", "[SEP]" * 30]


@pytest.mark.parametrize(
    ("max_length", "special"), [(3, False), (4, True), (5, False), (9, True), (20, True)]
)
def test_windows(max_length, special):
    arguments = {"max_length": max_length, "special_tokens_in_text": special}
    layer = BertPreprocess(None, warn_of_cuts=False, **arguments)
    plain = PlainPreprocess(chinese_vocabulary(), lowercase=True, **arguments)
    pairs = [(question, text) for question in QUESTIONS for text in LONG]
    for stride in (1, 3, None, 100):
        for batch in (LONG, tuple(map(list, zip(*pairs, strict=True)))):
            rows = pairs if isinstance(batch, tuple) else [(text, None) for text in batch]
            if max_length == 3 and isinstance(batch, tuple):
                continue
            expected = layer.windows(batch, stride, offsets=True)
            expected = {key: value.numpy().tolist() for key, value in expected.items()}
            number = 0
            for row, (text, pair) in enumerate(rows):
                windows = plain.windows(text, stride, offsets=True, pair=pair)
                bare = plain.windows(text, stride, pair=pair)
                assert bare == [(*window[:3], None, None) for window in windows]
                for window in windows:
                    size = sum(expected["input_mask"][number])
                    assert expected["text_ids"][number] == row
                    for key, column in zip(KEYS, window, strict=True):
                        assert column == expected[key][number][:size], key
                    number += 1
            assert number == len(expected["text_ids"])


def test_bad_arguments():
    with pytest.raises(ValueError, match="max_length must be an int of at least 3, got 2"):
        PlainPreprocess(chinese_vocabulary(), lowercase=True, max_length=2)
    plain = PlainPreprocess(chinese_vocabulary(), lowercase=True, max_length=3)
    with pytest.raises(ValueError, match="stride must be an int of at least 1, got 0"):
        plain.windows("好", 0)
    with pytest.raises(ValueError, match="max_length=4 or more, got 3"):
        plain.windows("好", pair="好")


@pytest.mark.parametrize(
    ("pattern", "codes"),
    [(PATTERNS[1], NAMED), pytest.param("a{}b", CODES, marks=pytest.mark.slow)],
    ids=["sigma", "all"],
)
def test_prompts(pattern, codes):
    """Of code points by themselves, and where they may decide what becomes of a sigma."""
    texts = [*every(pattern, codes)]
    texts += [*hard_texts(500), "İI\u0307ẞǅΣ", "a\0B", "\0", "Α\0Σ"]  # No text ends at U+0000.
    for prompt, some in (("Query：", texts), ("Σ", texts[-500:])):
        found = with_prompt(some, prompt, lowercase=True).numpy().tolist()
        for text, theirs in zip(some, found, strict=True):
            assert prompted(text, prompt, lowercase=True) == theirs.decode()
    assert prompted("A\0Σ", "B", lowercase=True) == "ba\1σ"
    assert prompted("A\0", "B", lowercase=False) == "BA\0"
    assert with_prompt(tf.constant("A\0"), "B", lowercase=False).numpy() == b"BA\0"


def test_neither_tensorflow_nor_keras_is_imported():
    code = """
import sys

sys.argv = ["keras-bert-zh"]  # As in the command line, the package imports nothing by itself.
from keras_bert_zh.text import plain, plain_entities, plain_prompt, plain_rows
from keras_bert_zh.vocabulary import chinese_vocabulary

preprocess = plain_rows.PlainPreprocess(chinese_vocabulary(), lowercase=True, max_length=9)
print(preprocess.row(plain_prompt.prompted("好", "ΑΣ", lowercase=True)).length)
print([name for name in sys.modules if name.split(".")[0] in ("keras", "tensorflow")])
"""
    assert run_anew(code).splitlines() == ["5", "[]"]
