"""BertPreprocess: turns strings into the three inputs of BERT."""

import os
from collections.abc import Sequence
from typing import Any

import keras

from keras_bert_zh.arguments import check_flag, check_flag_or_none, check_int, check_offsets
from keras_bert_zh.checkpoints import DEFAULT, Checkpoint, open_vocabulary
from keras_bert_zh.input_keys import INPUT_KEYS, OFFSET_KEYS
from keras_bert_zh.truncation import Truncated, Watch
from keras_bert_zh.vocabulary import (
    decode_vocabulary,
    encode_vocabulary,
    is_lowercase,
    special_ids,
)


@keras.saving.register_keras_serializable("keras_bert_zh")
class BertPreprocess(keras.layers.Layer):
    """Turns strings into `input_ids`, `input_mask` and `segment_ids`, inside the graph.

    The tokens are exactly those of google-research/bert `tokenization.py`, with the character
    classes of Unicode 14.0. Texts are cut to `max_length`, formatted as `[CLS] a [SEP]`, and
    padded with `[PAD]`. Pairs are formatted as `[CLS] a [SEP] b [SEP]`, and the longer text is cut
    first. By default, special tokens written in a text are ordinary text. Bytes that are not valid
    UTF-8 are dropped.

    Args:
        checkpoint: where the vocabulary comes from: anything that `load_checkpoint` takes, by
            default the same as for `BertEncoder`. `None` is the vocabulary of Google's Chinese
            BERT, which is included in this package.
        vocabulary: list of str, or the path of a `vocab.txt`, instead of a checkpoint's.
        lowercase: bool, whether to lower-case texts and strip accents. `None`: as the checkpoint
            says. If it does not say, `True` unless the vocabulary contains capital letters.
        max_length: int, S, at least 3.
        offsets: whether to also return the offsets of each token in its text: `True` or
            `"characters"`, or `"bytes"`.
        word_ids: bool, whether to also return the index of the word that each token belongs to.
            The texts must be split into words, as in CoNLL files: see `align_labels`.
        warn_of_cuts: bool, whether to give one TruncationWarning if `max_length` cuts texts. It
            works in calls on texts; in `fit`, `evaluate` and `predict` of models such as
            TextClassifier, on lists, arrays and tensors; and in ExportedModel. It does not work
            in a graph, such as in `dataset.map` or in another model: see `count_truncated`.
        special_tokens_in_text: bool, whether `[MASK]`, `[CLS]` and the others of `special_ids` are
            special tokens if they are written in a text.
        **kwargs: `name`, as for every Keras layer.

    Call arguments:
        inputs: `str`, list of `str`, or string tensor or array of shape `[]`, `[B]` or `[B, 1]`.
            For texts that are split into words, a list of lists or ragged `[B, (words)]`. For
            pairs of these, a tuple, a list of two tensors, or a dict of `text_a` and `text_b`.

    Returns:
        dict of `input_ids`, `input_mask` (1 for tokens, 0 for padding) and `segment_ids` (1 for
        the second text and its `[SEP]`), each `<int32>[B, S]`; `<int32>[S]` for a scalar. With
        `offsets` also `starts` and `ends`: a token is `text[start:end]` of the first or second
        text, or of its word if texts are split into words. They are 0 for `[CLS]`, `[SEP]` and
        padding. See `tokenize` for what a token covers. With `word_ids` also `word_ids`, the
        index of each token's word in its own text, and -1 for `[CLS]`, `[SEP]` and padding. Words
        without tokens, such as a zero-width space, count. Encoders ignore these extra outputs.

    Raises:
        ValueError: if `max_length < 3`; the vocabulary is empty or lacks a special token; a tensor
            has a different rank; the two texts of a pair differ in batch size; or texts are not
            split into words with `word_ids=True`.
        TypeError: if a value among the texts is not text.

    Example:

    >>> from keras_bert_zh import BertPreprocess
    >>> preprocess = BertPreprocess(checkpoint=None, max_length=8)
    >>> preprocess(["今天天气很好"])["input_ids"].numpy().tolist()
    [[101, 791, 1921, 1921, 3698, 2523, 1962, 102]]
    >>> preprocess(("好", "不好"))["segment_ids"].numpy().tolist()
    [0, 0, 0, 1, 1, 1, 0, 0]
    >>> preprocess = BertPreprocess(checkpoint=None, max_length=8, offsets=True)
    >>> outputs = preprocess("Ｋeras  很好")
    >>> outputs["starts"].numpy().tolist(), outputs["ends"].numpy().tolist()
    ([0, 0, 1, 4, 7, 8, 0, 0], [0, 1, 4, 5, 8, 9, 0, 0])
    >>> preprocess = BertPreprocess(checkpoint=None, max_length=8, word_ids=True)
    >>> preprocess([["用", "Keras", "好"]])["word_ids"].numpy().tolist()
    [[-1, 0, 1, 1, 1, 2, -1, -1]]
    >>> preprocess = BertPreprocess(checkpoint=None, special_tokens_in_text=True)
    >>> preprocess.detokenize(preprocess.tokenize("天气很[MASK]")).numpy().decode()
    '天气很[MASK]'

    Reference:
        `FullTokenizer` in google-research/bert `tokenization.py`, `convert_single_example` in its
        `run_classifier.py`.
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike | Checkpoint | None = DEFAULT,
        *,
        vocabulary: Sequence[str] | str | os.PathLike | None = None,
        lowercase: bool | None = None,
        max_length: int = 128,
        offsets: bool | str = False,
        word_ids: bool = False,
        warn_of_cuts: bool = True,
        special_tokens_in_text: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        # Strings are no arrays that Keras could convert, and XLA has none.
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.supports_jit = False
        self.built = True
        self.max_length = check_int("max_length", max_length, 3)
        self.offsets = check_offsets("offsets", offsets) or False
        self.word_ids = check_flag("word_ids", word_ids)
        self.warn_of_cuts = check_flag("warn_of_cuts", warn_of_cuts)
        self.special_tokens_in_text = check_flag("special_tokens_in_text", special_tokens_in_text)
        self._watch = Watch(self.max_length) if self.warn_of_cuts else None
        lowercase = check_flag_or_none("lowercase", lowercase)
        tokens, found = open_vocabulary(checkpoint, vocabulary)
        known = (value for value in (lowercase, found) if value is not None)
        self.lowercase = bool(next(known, is_lowercase(tokens)))
        # Imported here: the package can be used without TensorFlow where no string is.
        from keras_bert_zh.text.pipeline import text_pipeline

        self._pipeline = text_pipeline(tokens, self.lowercase, self.special_tokens_in_text)

    # Sequential makes its Input of the first layer's dtype.
    compute_dtype = property(lambda self: "string")
    variable_dtype = property(lambda self: "string")

    @property
    def vocabulary(self) -> list[str]:
        """The tokens; the id of a token is its index."""
        return list(self._pipeline.vocabulary)

    @property
    def special_ids(self) -> dict[str, int]:
        """The ids of `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]` and `[MASK]`."""
        return special_ids(self._pipeline.vocabulary)

    def tokenize(self, texts: Any, offsets: bool | str = False):
        """Returns the ids of single texts, without `[CLS]`, `[SEP]`, truncation and padding.

        Args:
            texts: as for calling the layer, but no pairs.
            offsets: whether to also return the offsets of each token, in its text, or in its word
                if texts are split into words: `True` or `"characters"`, or `"bytes"`.

        Returns:
            `tf.RaggedTensor` `<int32>[B, (tokens)]`; `<int32>[tokens]` for a scalar. With
            `offsets`, a tuple of three of them: the ids, the starts and the ends. A token covers
            the text from its first to its last character, and `[UNK]` covers its whole word.
            Dropped characters, such as accents and control characters, belong to a token only if
            they are between two of its characters. Characters are counted as in Python, in
            `text.decode("utf-8", "ignore")` if the text is not valid UTF-8. Bytes are those of
            the original text.

        Example:

        >>> from keras_bert_zh import BertPreprocess
        >>> BertPreprocess(None).tokenize(["很好", "unaffable"]).to_list()
        [[2523, 1962], [163, 8374, 9049, 9609]]

        The number of tokens of each word of a text; a zero-width space has none:

        >>> words = ["我", "用", "\\u200b", "Keras"]
        >>> BertPreprocess(None).tokenize(words).row_lengths().numpy().tolist()
        [1, 1, 0, 3]

        The part of the text that each token covers:

        >>> text = "Café\\u200b 很好"
        >>> _, starts, ends = BertPreprocess(None).tokenize(text, offsets=True)
        >>> [text[start:end] for start, end in zip(starts.numpy(), ends.numpy())]
        ['Café', '很', '好']
        """
        return self._pipeline.tokenize(texts, check_offsets("offsets", offsets))

    def windows(
        self,
        texts: Any,
        stride: int | None = None,
        *,
        offsets: bool | str | None = None,
        word_ids: bool | None = None,
    ) -> dict[str, Any]:
        """Splits long texts into overlapping windows that contain all of their tokens.

        A window has the same format as a text that the layer returns. For a pair, each window
        contains the first text, the question, cut to half of the tokens if it is longer, and a
        part of the second text. A text that fits has one window. `join_tokens`, `join_mean` and
        `join_first` combine the outputs of a model for the windows. This works in graphs too.

        Args:
            texts: as for calling the layer; a single text is a batch of one.
            stride: int, the number of tokens from the start of a window to the start of the next
                one; smaller if a window has less room. `None`: half of `max_length`.
            offsets, word_ids: as for creating the layer. `None`: as the layer was created.

        Returns:
            dict of the outputs of the layer, each `<int32>[W, S]`, for W windows in the order of
            the texts; `text_ids <int32>[W]`, the index of the text; and `is_max_context
            <bool>[W, S]`: True for each token in the window where it has the most context, which
            is the smaller of the numbers of tokens to its left and to its right.

        Raises:
            ValueError: for pairs if `max_length < 4`.

        Example:

        >>> from keras_bert_zh import BertPreprocess
        >>> preprocess = BertPreprocess(None, max_length=6)
        >>> windows = preprocess.windows(["今天天气很好", "很好"], stride=2)
        >>> preprocess.detokenize(windows["input_ids"]).numpy().tolist()[1].decode()
        '天气很好'
        >>> windows["text_ids"].numpy().tolist()
        [0, 0, 1]
        >>> windows["is_max_context"].numpy().astype(int).tolist()
        [[0, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 0], [0, 1, 1, 0, 0, 0]]

        Reference:
            `convert_examples_to_features` in google-research/bert `run_squad.py`, where the
            stride is called `doc_stride`.
        """
        stride = self.max_length // 2 if stride is None else check_int("stride", stride, 1)
        by_word = check_flag_or_none("word_ids", word_ids)
        return self._pipeline.windows(
            texts,
            self.max_length,
            stride,
            unit=check_offsets("offsets", self.offsets if offsets is None else offsets),
            word_ids=self.word_ids if by_word is None else by_word,
            tell=self._tell(),
        )

    def count_truncated(self, texts: Any) -> Truncated:
        """Returns how many texts or pairs `max_length` cuts, and how many tokens are left out.

        Args:
            texts: as for calling the layer. All are tokenised at once.

        Returns:
            A named tuple of the ints `texts` and `tokens`.

        Example:

        >>> from keras_bert_zh import BertPreprocess
        >>> BertPreprocess(None, max_length=4).count_truncated(["很好", "不太好", "今天天气"])
        Truncated(texts=2, tokens=3)
        """
        counts = self._pipeline.count_truncated(texts, self.max_length, self.word_ids)
        cut, lost, _ = counts.numpy().tolist()
        return Truncated(cut, lost)

    def look_for_cuts(self, texts: Any) -> None:
        """Warns if `max_length` cuts any of the texts, unless it has warned or warnings are off.

        Models call this on texts, because their graph can't warn. It checks 10,000 texts in total.

        Args:
            texts: as for calling the layer.
        """
        if self._watch is not None and self._watch.left:
            most = self._watch.left
            self._watch.tell(
                self._pipeline.count_truncated(texts, self.max_length, self.word_ids, most)
            )

    def _tell(self):
        return self._watch.tell if self._watch is not None and self._watch.left else None

    def detokenize(self, ids: Any):
        """Returns readable text, with spaces around words and none between Chinese characters.

        `[CLS]`, `[SEP]` and `[PAD]` are left out.

        Args:
            ids: `<int32>[S]`, `[B, S]`, or ragged `[B, (tokens)]`, as returned by `tokenize` or
                by calling the layer.

        Returns:
            `<string>[B]`, UTF-8; `<string>[]` for ids of rank 1.

        Raises:
            tf.errors.InvalidArgumentError: if an id is outside the vocabulary.

        Example:

        >>> from keras_bert_zh import BertPreprocess
        >>> preprocess = BertPreprocess(None)
        >>> preprocess.detokenize(preprocess.tokenize("我用 Keras 写代码")).numpy().decode()
        '我用 keras 写代码'
        """
        return self._pipeline.detokenize(ids)

    def call(self, inputs):
        unit = self.offsets or None
        return self._pipeline.pack(inputs, self.max_length, unit, self.word_ids, self._tell())

    def compute_output_spec(self, inputs):
        from keras_bert_zh.text.inputs import check_symbolic, split_pair

        parts = split_pair(inputs)
        for name, part in parts:
            check_symbolic(name, part, split=self.word_ids)
        shape = (*parts[0][1].shape[:1], self.max_length)
        keys = [*INPUT_KEYS, *(OFFSET_KEYS if self.offsets else ())]
        keys += ["word_ids"] if self.word_ids else []
        return {key: keras.KerasTensor(shape, "int32", name=key) for key in keys}

    def get_config(self) -> dict[str, Any]:
        # The tokens themselves: a saved model needs no file beside it. Packed, because Keras prints
        # configs in its errors.
        return {
            **super().get_config(),
            "vocabulary": encode_vocabulary(self._pipeline.vocabulary),
            "lowercase": self.lowercase,
            "max_length": self.max_length,
            "offsets": self.offsets,
            "word_ids": self.word_ids,
            "warn_of_cuts": self.warn_of_cuts,
            "special_tokens_in_text": self.special_tokens_in_text,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "BertPreprocess":
        if "vocabulary" not in config or "checkpoint" in config:
            # A saved model must not make this package open a file.
            raise ValueError(
                "The configuration of BertPreprocess must contain a vocabulary, and no checkpoint."
            )
        vocabulary = config["vocabulary"]
        if not isinstance(vocabulary, list):  # Older files have all tokens.
            vocabulary = decode_vocabulary(vocabulary)
        return cls(None, **{**config, "vocabulary": vocabulary})
