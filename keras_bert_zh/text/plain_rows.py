"""Turns texts into the ids of `BertPreprocess` in plain Python, one text or pair at a time."""

from typing import NamedTuple

from keras_bert_zh.arguments import check_int
from keras_bert_zh.text.plain import PlainTokenizer, Tokens
from keras_bert_zh.vocabulary import special_ids

# The most that a question takes of the tokens of a window, special tokens not counted.
_QUESTION_SHARE = 0.5

# A window of some tokens: where it begins, and where it ends.
_Span = tuple[int, int]


class Row(NamedTuple):
    """One text or pair, cut but not padded.

    Attributes:
        input_ids, segment_ids: lists of int of the same length.
        length: int, the number of tokens before cutting, including special tokens.
    """

    input_ids: list[int]
    segment_ids: list[int]
    length: int


class Window(NamedTuple):
    """One window of a text, not padded.

    Attributes:
        input_ids, segment_ids: lists of int of the same length.
        is_max_context: list of bool of the same length: True for each token of the text in the
            window where it has the most context. False for special tokens and for the question.
        starts, ends: lists of int of the same length, if requested: the offsets in the text, or in
            the question, in characters; 0 for special tokens.
    """

    input_ids: list[int]
    segment_ids: list[int]
    is_max_context: list[bool]
    starts: list[int] | None
    ends: list[int] | None


class PlainPreprocess:
    """Makes rows as `BertPreprocess` does, without TensorFlow and without padding.

    Args:
        vocabulary, lowercase, special_tokens_in_text: as for `PlainTokenizer`.
        max_length: int, at least 3.

    Example:

    >>> from keras_bert_zh.text.plain_rows import PlainPreprocess
    >>> from keras_bert_zh.vocabulary import chinese_vocabulary
    >>> preprocess = PlainPreprocess(chinese_vocabulary(), lowercase=True, max_length=6)
    >>> preprocess.row("今天天气很好")
    Row(input_ids=[101, 791, 1921, 1921, 3698, 102], segment_ids=[0, 0, 0, 0, 0, 0], length=8)
    >>> preprocess.row("好", "不好").segment_ids
    [0, 0, 0, 1, 1, 1]
    >>> [window.input_ids for window in preprocess.windows("今天天气很好", stride=2)]
    [[101, 791, 1921, 1921, 3698, 102], [101, 1921, 3698, 2523, 1962, 102]]
    """

    def __init__(
        self,
        vocabulary: tuple[str, ...],
        *,
        lowercase: bool,
        max_length: int,
        special_tokens_in_text: bool = False,
    ):
        self.tokenizer = PlainTokenizer(vocabulary, lowercase, special_tokens_in_text)
        self.max_length = check_int("max_length", max_length, 3)
        ids = special_ids(vocabulary)
        self._cls, self._sep = ids["[CLS]"], ids["[SEP]"]

    def row(self, text: str, pair: str | None = None) -> Row:
        """Returns `[CLS] text [SEP]` or `[CLS] text [SEP] pair [SEP]`, the longer text cut first.

        If no tokens of the second text are left, its `[SEP]` is left out too.
        """
        first = self.tokenizer.ids(text)
        second = [] if pair is None else self.tokenizer.ids(pair)
        length = len(first) + len(second) + (3 if second else 2)
        if length > self.max_length:
            first, second = _cut(first, second, self.max_length)
        ids = [self._cls, *first, self._sep]
        segments = [0] * len(ids)
        if second:
            ids += [*second, self._sep]
            segments += [1] * (len(second) + 1)
        return Row(ids, segments, length)

    def windows(
        self,
        text: str,
        stride: int | None = None,
        *,
        offsets: bool = False,
        pair: str | None = None,
    ) -> list[Window]:
        """Returns the windows of the text, or of the second text of a pair.

        Args:
            text: str. For a pair, the first text, which is in each window, cut to half the tokens.
            stride: int, the number of tokens from the start of a window to the start of the next
                one; smaller if a window has less room. `None`: half of `max_length`.
            offsets: bool, whether to return the offsets of tokens.
            pair: str, the second text.

        Raises:
            ValueError: if the stride is less than 1, or for pairs if `max_length < 4`.
        """
        stride = self.max_length // 2 if stride is None else check_int("stride", stride, 1)
        if pair is None:
            tokens = self._tokens(text, offsets)
            spans = _spans(len(tokens.ids), self.max_length - 2, stride)
            before = Tokens([self._cls], [0], [0])
        else:
            if self.max_length < 4:
                raise ValueError(
                    f"Windows of pairs need max_length=4 or more, got {self.max_length}."
                )
            question = self._tokens(text, offsets)
            most = int((self.max_length - 3) * _QUESTION_SHARE)
            ids, starts, ends = (column[:most] for column in question)
            tokens = self._tokens(pair, offsets)
            spans = _spans(len(tokens.ids), self.max_length - 3 - len(ids), stride)
            before = Tokens([self._cls, *ids, self._sep], [0, *starts, 0], [0, *ends, 0])
        # Without tokens, there is no second text, and no [SEP] of it.
        after = pair is None or bool(tokens.ids)
        segment = int(pair is not None)
        flags = _most_context(spans, len(tokens.ids))
        return [
            Window(
                [*before.ids, *tokens.ids[begin:end], *[self._sep] * after],
                [0] * len(before.ids) + [segment] * (end - begin + after),
                [False] * len(before.ids) + is_max + [False] * after,
                [*before.starts, *tokens.starts[begin:end], *[0] * after] if offsets else None,
                [*before.ends, *tokens.ends[begin:end], *[0] * after] if offsets else None,
            )
            for (begin, end), is_max in zip(spans, flags, strict=True)
        ]

    def _tokens(self, text: str, offsets: bool) -> Tokens:
        if offsets:
            return self.tokenizer.tokens(text)
        return Tokens(self.tokenizer.ids(text), [], [])


def _cut(first: list[int], second: list[int], max_length: int) -> tuple[list[int], list[int]]:
    """Drops last tokens of the longer text, or of the second of equal ones, until both fit."""
    if not second:
        return first[: max_length - 2], second
    room = max_length - 3
    first_kept = max((room + 1) // 2, room - len(second))
    return first[:first_kept], second[: max(room // 2, room - len(first))]


def _spans(length: int, room: int, stride: int) -> list[_Span]:
    """Returns the windows of `length` tokens; no tokens have one empty window."""
    step = min(stride, room)
    count = 1 + max(0, -(-(length - room) // step))
    return [(begin, min(begin + room, length)) for begin in range(0, count * step, step)]


def _most_context(spans: list[_Span], length: int) -> list[list[bool]]:
    """Tells for each token of each window whether it has the most context there.

    Context is 100 times the smaller of the numbers of tokens to the left and to the right, plus the
    number of tokens of the window. Of equal windows, the first one counts.
    """
    scores, windows = [-1] * length, [0] * length
    for window, (begin, end) in enumerate(spans):
        for place in range(begin, end):
            score = 100 * min(place - begin, end - 1 - place) + end - begin
            if score > scores[place]:
                scores[place], windows[place] = score, window
    return [
        [windows[place] == window for place in range(begin, end)]
        for window, (begin, end) in enumerate(spans)
    ]
