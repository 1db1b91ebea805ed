"""Labels of entities, against seqeval."""

import random

import pytest
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB2, IOBES, Tokens

from keras_bert_zh.label_schemes import (
    Label,
    Span,
    find_fault,
    find_scheme,
    may_follow,
    missing_labels,
    parse,
    prefixes_of_pieces,
    to_labels,
    to_spans,
)

PREFIXES = {"BIO": "BI", "BIOES": "BIES"}


def random_labels(generator, prefixes):
    names = ["O", *(f"{prefix}-{kind}" for prefix in prefixes for kind in ("LOC", "PER-x"))]
    return generator.choices(names, k=generator.randrange(9))


@pytest.mark.parametrize("prefixes", ["BI", "BIES", "I", "BMES"])
def test_spans_are_those_of_seqeval(prefixes):
    generator = random.Random(prefixes)
    for _ in range(3000):
        names = random_labels(generator, prefixes)
        # seqeval has no M; elsewhere it means what I means.
        theirs = get_entities([name.replace("M-", "I-") for name in names])
        expected = [(kind, start, end + 1) for kind, start, end in theirs]
        assert to_spans(names) == expected, names


@pytest.mark.parametrize(
    ("scheme", "prefixes", "theirs"),
    [("BIO", "BI", IOB2), ("BIOES", "BIES", IOBES), ("BIOES", "BILU", BILOU)],
)
def test_whole_spans_are_those_of_seqeval(scheme, prefixes, theirs):
    generator = random.Random(prefixes)
    for _ in range(3000):
        names = random_labels(generator, prefixes)
        found = [
            (entity.tag, entity.start, entity.end) for entity in Tokens(names, theirs).entities
        ]
        assert to_spans(names, scheme) == found, names


@pytest.mark.parametrize("scheme", PREFIXES)
def test_spans_to_labels_and_back(scheme):
    generator = random.Random(scheme)
    for _ in range(500):
        edges = sorted(generator.sample(range(12), 6))
        spans = [
            Span(generator.choice(["LOC", "PER"]), *edge)
            for edge in zip(edges[::2], edges[1::2], strict=True)
        ]
        labels = to_labels(generator.sample(spans, 3), 12, scheme)
        assert to_spans(labels, scheme) == spans
        assert find_fault(labels, scheme) is None


@pytest.mark.parametrize("scheme", PREFIXES)
def test_a_fault_is_where_a_span_is_not_whole(scheme):
    """No label is lost in the strict reading of exactly those sequences that have no fault."""
    generator = random.Random(scheme)
    for _ in range(3000):
        names = random_labels(generator, PREFIXES[scheme])
        labelled = sum(span.end - span.start for span in to_spans(names, scheme))
        whole = labelled == sum(name != "O" for name in names)
        assert (find_fault(names, scheme) is None) == whole, names
    assert find_fault(["O", "I-LOC"], scheme) == 1
    assert find_fault(["B-LOC", "I-PER"], scheme) == 1


def test_an_open_span_must_end_in_bioes_alone():
    begun = Label("B", "LOC")
    assert find_fault(["O", "B-LOC"], "BIOES") == 2
    assert not may_follow("BIOES", begun, None)
    assert may_follow("BIO", begun, None)
    assert not may_follow("BIOES", begun, begun)
    assert may_follow("BIO", begun, begun)


def test_names():
    assert parse("B-PER.NAM") == parse("B_PER.NAM") == Label("B", "PER.NAM")
    assert parse("M-ns") == parse("I-ns") == Label("I", "ns")
    assert parse("S") == parse("U") == Label("S", "")
    assert parse("O") == Label("O", "")
    for name in ("", "o", "LOC", "B-", "BLOC", "X-LOC", "O-LOC"):
        assert parse(name) is None


@pytest.mark.parametrize(
    ("names", "scheme"),
    [
        (["O", "B-LOC", "I-LOC", "B-PER"], "BIO"),
        (["B", "I", "O"], "BIO"),
        (["O", "B-LOC", "E-LOC", "S-PER"], "BIOES"),
        (["B", "M", "E", "S"], "BIOES"),
        (["O", "S-LOC"], "BIOES"),
        (["O", "I-LOC"], None),
        (["O", "B-LOC", "I-LOC", "I-PER"], None),
        (["O", "B-LOC", "S-LOC"], None),
        (["O", "LOC", "B-LOC"], None),
        (["O"], None),
        ([], None),
    ],
)
def test_the_scheme_of_a_list(names, scheme):
    assert find_scheme(names) == scheme


def test_labels_that_are_missing():
    assert missing_labels(["O", "I-LOC", "B-PER", "I-PER", "I-ORG"]) == ["B-LOC", "B-ORG"]
    assert missing_labels(["O", "S-LOC", "I-PER"]) == ["B-PER", "E-PER"]
    assert missing_labels(["I", "O"]) == ["B"]
    assert missing_labels(["O", "B-LOC", "good"]) == []


def test_pieces_of_what_has_one_label():
    pieces = {
        prefix: [prefixes_of_pieces(prefix, count) for count in (1, 2, 3)] for prefix in "OBIES"
    }
    assert pieces == {
        "O": ["O", "OO", "OOO"],
        "B": ["B", "BI", "BII"],
        "I": ["I", "II", "III"],
        "E": ["E", "IE", "IIE"],
        "S": ["S", "BE", "BIE"],
    }


def test_errors():
    with pytest.raises(ValueError, match=r"^'LOC' is not a label of entities.*'B-LOC'"):
        to_spans(["O", "LOC"])
    with pytest.raises(
        ValueError, match=r"'LOC', start=2, end=5\) is empty, or not within .* 4 tokens"
    ):
        to_labels([Span("LOC", 2, 5)], 4)
    with pytest.raises(ValueError, match="overlap"):
        to_labels([Span("LOC", 2, 4), Span("PER", 0, 3)], 4)
