"""BertPreprocess: strings in, the three inputs of BERT out."""

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

    The tokens are those of google-research/bert `tokenization.py`, one for one, with the classes
    of Unicode 14.0. Texts are cut to `max_length` and laid out as `[CLS] a [SEP]`, pairs as
    `[CLS] a [SEP] b [SEP]` with the longer text cut first, padded with `[PAD]`. A special token
    written in the text is text by default; bytes that are not UTF-8 are dropped.

    Args:
        checkpoint: where the vocabulary comes from: anything that `load_checkpoint` takes, by
            default the same as for `BertEncoder`. `None` stands for the vocabulary of Google's
            Chinese BERT, which ships with this package.
        vocabulary: list of str, or the path of a `vocab.txt`, instead of a checkpoint's.
        lowercase: bool, whether to fold case and strip accents. `None`: as the checkpoint says;
            where it does not, `True` unless the vocabulary holds capital letters.
        max_length: int, S, at least 3.
        offsets: whether to return the place of each token in its text too: `True` or
            `"characters"`, or `"bytes"`.
        word_ids: bool, whether to return which word each token is a piece of. The texts must be
            split into words, as those of CoNLL files are: see `align_labels`.
        warn_of_cuts: bool, whether to warn once if `max_length` cuts texts, by TruncationWarning.
            Called on texts it sees them, and so do `fit`, `evaluate` and `predict` of models such
            as TextClassifier on lists, arrays and tensors, and ExportedModel. In a graph, as that
            of `dataset.map` or of another model, it can't tell: see `count_truncated`.
        special_tokens_in_text: bool, whether `[MASK]`, `[CLS]` and the others of `special_ids`,
            written in the text like this, are those tokens.
        **kwargs: `name`, as for every Keras layer.

    Call arguments:
        inputs: `str`, list of `str`, or string tensor or array of shape `[]`, `[B]` or `[B, 1]`;
            words that are split already as list of lists or ragged `[B, (words)]`. A pair of
            these: a tuple, a list of two tensors, or a dict of `text_a` and `text_b`.

    Returns:
        dict of `input_ids`, `input_mask` (1 for tokens, 0 for padding) and `segment_ids` (1 for
        the second text and its `[SEP]`), each `<int32>[B, S]`; `<int32>[S]` for a scalar. With
        `offsets` also `starts` and `ends`: a token is `text[start:end]`, of the first or of the
        second text, or of the word where words are split already; `[CLS]`, `[SEP]` and padding
        have 0 and 0. See `tokenize` for what a token reaches over. With `word_ids` also `word_ids`,
        the index of each token's word in its own text, -1 for `[CLS]`, `[SEP]` and padding; words
        without tokens, such as a zero-width space, count. An encoder leaves all these alone.

    Raises:
        ValueError: if `max_length < 3`, the vocabulary is empty or lacks a special token, a
            tensor has another rank, the two texts of a pair differ in batch size, or texts are not
            split with `word_ids=True`.
        TypeError: if there is anything but text among the texts.

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
        """Returns the ids of single texts, without `[CLS]` and `[SEP]`, as they are.

        Args:
            texts: as for calling the layer, without pairs.
            offsets: whether to return the place of each token too, in its text, or in its word
                where words are split already: `True` or `"characters"`, or `"bytes"`.

        Returns:
            `tf.RaggedTensor` `<int32>[B, (tokens)]`; `<int32>[tokens]` for a scalar. With
            `offsets` a tuple of three of them, the ids, the starts and the ends. A token reaches
            from the first to the last of the characters that its letters came from, and an
            `[UNK]` over its word. Characters that are dropped, such as accents and control
            characters, are in it only between two others. Characters are counted as Python
            counts them, in `text.decode("utf-8", "ignore")` where the text is no valid UTF-8;
            bytes are those of the text as it is.

        Example:

        >>> from keras_bert_zh import BertPreprocess
        >>> BertPreprocess(None).tokenize(["很好", "unaffable"]).to_list()
        [[2523, 1962], [163, 8374, 9049, 9609]]

        How many tokens each word of one text has; a zero-width space has none:

        >>> words = ["我", "用", "\\u200b", "Keras"]
        >>> BertPreprocess(None).tokenize(words).row_lengths().numpy().tolist()
        [1, 1, 0, 3]

        Where each token is in the text:

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
        """Returns long texts as windows that overlap, none of their tokens left out.

        A window is laid out as the layer lays out a text. Of a pair, the first text, the question,
        is in each window, cut to half the tokens where it is longer, and windows are of the second
        one. A text that fits has one window. `join_tokens`, `join_mean` and `join_first` put
        together again what a model makes of the windows. Works inside of graphs too.

        Args:
            texts: as for calling the layer; a single text is a batch of one.
            stride: int, how many tokens after the one before it each window begins; less where
                there is less room in a window. `None`: half of `max_length`.
            offsets, word_ids: as for making the layer; `None` for what it was made with.

        Returns:
            dict of what calling the layer returns, each `<int32>[W, S]`, for W windows in the
            order of the texts, of `text_ids <int32>[W]`, the number of the text, and of
            `is_max_context <bool>[W, S]`: of all places that a token has, the one with the most
            tokens to its left or its right, whichever are fewer.

        Raises:
            ValueError: for pairs where `max_length < 4`.

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
        """Returns how many of the texts, or pairs, `max_length` cuts, and how many tokens of them.

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
        """Warns if `max_length` cuts any of the texts, unless it has warned before or is not to.

        Models of texts call it, as their graph can't warn. It looks at 10,000 texts in all, and
        then no more.

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
        """Returns readable text: blanks around words, none between ideographs.

        `[CLS]`, `[SEP]` and `[PAD]` are left out.

        Args:
            ids: `<int32>[S]`, `[B, S]`, or ragged `[B, (tokens)]`: what `tokenize` or the call
                returned.

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
            raise ValueError("The configuration of BertPreprocess must hold its vocabulary.")
        vocabulary = config["vocabulary"]
        if not isinstance(vocabulary, list):  # Older files have all tokens.
            vocabulary = decode_vocabulary(vocabulary)
        return cls(None, **{**config, "vocabulary": vocabulary})
