"""TokenTagger: a label for each token."""

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from keras_bert_zh.arguments import check_flag_or_none
from keras_bert_zh.checkpoints import Checkpoint
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.heads.chain import chain_loss, rules_of, tokens_of_text
from keras_bert_zh.heads.fine_tuned import FineTuned, head_of
from keras_bert_zh.heads.on_text import Source, are_ids, opened
from keras_bert_zh.heads.targets import (
    check_length,
    check_numbers,
    check_of_tokens,
    weights_of_classes,
)
from keras_bert_zh.heads.token_weights import token_weights
from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.crf import CRF
from keras_bert_zh.layers.with_mask import WithMask
from keras_bert_zh.preprocess import BertPreprocess

_TASK = "token_classification"


@keras.saving.register_keras_serializable("keras_bert_zh")
class TokenTagger(FineTuned, keras.Model):
    """Tells the label of each token, such as those of names: a dense layer on the last states.

    From a checkpoint that was fine-tuned for this task it is that model, with its labels. From any
    other checkpoint it has a fresh head, which `fit` trains on labels `<int32>[B, S]`. The logits
    have a Keras mask, by which losses and metrics leave out padding. `[CLS]` and `[SEP]` count:
    give them a label, or weights of 0 as `sample_weight` `<float>[B, S]`. The loss that
    `compile(optimizer)` takes is the mean over all tokens of a batch, by their weights; one weight
    for each text, `<float>[B]`, and `class_weight` are weights of tokens too. The pooler is not
    used, not trained and not saved in checkpoints.

    With a CRF, the logits are what it scores sequences of labels by; `decode` gives the labels. The
    chain is the tokens of the text: without padding, `[CLS]` and `[SEP]`, and the Keras mask of the
    logits says so. In training, tokens with weights of 0 in `sample_weight` `<float>[B, S]` are
    taken out too, other weights are all the same there, and weights `<float>[B]` are those of
    texts. The loss is the negative log-likelihood of the labels, summed over all texts and divided
    by the number of tokens in the chains, whatever `compile` is given. Metrics get the logits. Give
    the CRF a higher rate than the encoder, as in `adamw(..., rates={"crf": 100.0})`. It keeps to
    the rules of its labels' names, where these are of BIO or BIOES.

    Args:
        source: anything that `load_checkpoint` takes; or a BertEncoder, for options that are not
            here, and for a fresh head in place of a checkpoint's.
        labels: sequence of K different str, the names of the outputs. `None`: those of the
            checkpoint's head. Where a head calls them `LABEL_0`, `LABEL_1` and so on, this names
            them.
        crf: bool, whether there is a `CRF` behind the logits. `None`: as in the checkpoint. A fresh
            one changes no labels but those that break the rules, until it is trained.
        preprocess: BertPreprocess. `None`: that of the checkpoint; with an encoder there is none,
            and the model takes no strings.
        max_length: int, S, that of the checkpoint's preprocess. `None`: 128, or as many positions
            as there are, if these are fewer.
        dropout: float in [0, 1), in training: instead of the checkpoint's rates in the encoder,
            and before the head. With an encoder, before the head alone. `None`: as the checkpoint
            says, before the head by default as in the encoder.
        dtype: a dtype policy such as `"mixed_bfloat16"`. An encoder has its own.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Call arguments:
        inputs: what `BertPreprocess` takes, `<string>[B]`, ragged words or a pair of these; or the
            dict of `<int32>[B, S]` that it returns.
        training: bool, whether dropout is active.

    Returns:
        `<float32>[B, S, K]`, logits, also where the encoder computes in half precision;
        `<float64>` of a float64 encoder. Those of padding have no meaning.

    Attributes:
        labels: tuple of K str.
        crf: CRF, or `None`.
        preprocess: BertPreprocess, or `None`.
        encoder: BertEncoder.

    Raises:
        ValueError: if labels are needed and missing, or not those of the checkpoint's head,
            preprocess and encoder do not fit each other, or, called with strings, there is no
            preprocess or Keras runs on JAX.
        TypeError: if `source` or `preprocess` is something else.
        OSError: if the checkpoint can't be found or downloaded.

    Example:

    >>> from keras_bert_zh import TokenTagger
    >>> model = TokenTagger("small", labels=["O", "B-LOC", "I-LOC"], max_length=16)
    >>> model(["我在北京"]).shape, model.labels
    (TensorShape([1, 16, 3]), ('O', 'B-LOC', 'I-LOC'))

    Reference:
        `BertForTokenClassification` in Hugging Face Transformers. For the CRF, Lafferty, McCallum
        and Pereira, 2001.
    """

    def __init__(
        self,
        source: Source,
        labels: Iterable[str] | None = None,
        *,
        crf: bool | None = None,
        preprocess: BertPreprocess | None = None,
        max_length: int | None = None,
        dropout: float | None = None,
        **kwargs: Any,
    ):
        source = opened(source)
        head = head_of(source, _TASK, labels)
        super().__init__(
            source,
            output_key="sequence_output",
            preprocess=preprocess,
            max_length=max_length,
            dropout=None if isinstance(source, BertEncoder) else dropout,
            **kwargs,
        )
        # A layer of its own dtype, since it would round the logits to the encoder's.
        self.with_mask = WithMask(dtype=self.compute_dtype, name="with_mask")
        self.crf = None
        if _has_crf(source) if check_flag_or_none("crf", crf) is None else crf:
            rules = rules_of(head.labels or ())
            self.crf = CRF(head.outputs, rules, dtype=self.compute_dtype, name="crf")
        self.add_head(source, head, dropout)

    def heads(self):
        return super().heads() | ({} if self.crf is None else {"crf": self.crf})

    def own_loss(self):
        if self.crf is not None:
            return None  # It has weights, so that `compute_loss` is where it is.
        return keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        )

    def compile(self, optimizer="rmsprop", loss="auto", *args, **kwargs):
        if self.crf is not None and loss is not None and loss != "auto":
            raise ValueError(
                "The loss of a tagger with a CRF is the CRF's, which trains its weights too: leave "
                f"loss out, got {loss!r}."
            )
        super().compile(optimizer, loss, *args, **kwargs)

    def own_metrics(self):
        return {"weighted_metrics": [keras.metrics.SparseCategoricalAccuracy("accuracy")]}

    def targets(self, y):
        check_of_tokens(y)
        if self.own_compiled:
            check_numbers(y, self.labels, 2)
        return y

    def weighted(self, arguments):
        check_length(arguments.get("x"), arguments.get("y"), self.preprocess)
        weights = arguments.pop("class_weight", None)
        if weights is not None and self.crf is not None:
            raise ValueError(
                "A CRF is trained on whole texts: leave class_weight out with crf=True."
            )
        if weights is not None:
            weights = weights_of_classes(weights, self.labels)
        return token_weights(arguments, weights)

    def call(self, inputs, training=None):
        tokens = self._tokens(inputs)
        hidden, mask = self.encoded(tokens, training)
        if self.crf is not None:
            mask = tokens_of_text(tokens)
        return self.with_mask((self.logits(hidden, training), mask))

    def decode(self, logits, mask):
        """Returns the label of each token, and how probable it is.

        Args:
            logits: `<float>[B, S, K]`, what the model returns.
            mask: `<bool>[B, S]`, which tokens to label. With a CRF they are its chain: those of
                the text, without `[CLS]`, `[SEP]` and padding.

        Returns:
            The numbers of the labels, `<int32>[B, S]`, and their probabilities, `<float32>[B, S]`:
            those of softmax, or with a CRF those that `CRF.marginals` gives to the labels of the
            best sequence. Both are 0 outside of the mask.
        """
        mask = ops.cast(mask, "bool")
        if self.crf is None:
            chances = ops.softmax(logits, axis=-1)
            labels = ops.where(mask, ops.cast(ops.argmax(logits, axis=-1), "int32"), 0)
        else:
            chances = self.crf.marginals(logits, mask)
            labels, _ = self.crf.decode(logits, mask)
        chance = ops.take_along_axis(chances, ops.expand_dims(labels, -1), axis=-1)[..., 0]
        return labels, ops.where(mask, chance, 0.0)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if self.crf is None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        # Texts are for TensorFlow alone, where tensors keep their mask.
        mask = tokens_of_text(x) if are_ids(x) else y_pred._keras_mask
        return chain_loss(self.crf, y, y_pred, mask, sample_weight)

    def entities(self, texts: Any, *, stride: int | None = None) -> dict[str, Any]:
        """Returns the entities in texts, by the labels of their words.

        The label of a word is that of its first piece, as `align_labels` trains it by default. An
        entity begins at B and S, after E and S, where the kind changes, and where I or E has no
        entity before it, as seqeval and conlleval have it; M is read as I. Where the labels are
        plain names, equal ones in a row are one entity. Long texts are read by windows, each token
        in the one where it has the most context, and their labels decoded as a whole. All texts
        are one batch: for many, map this over the batches of a dataset. A model that `export`
        wrote has it too. TensorFlow backend only.

        Args:
            texts: `<string>[B]`, all that `BertPreprocess` takes but pairs and words.
            stride: int, how many tokens after the one before it each window begins. `None`: half
                of `max_length`.

        Returns:
            dict of ragged `[B, (entities)]`: `text <string>`; `start` and `end` `<int32>`, where
            it is in Python's `text[start:end]`; `label <string>`, without B- or I-; and
            `score <float32>`, the mean of the probabilities that its words have their labels.
            Bytes that are not UTF-8 count as no characters.

        Example:

        >>> from keras_bert_zh import TokenTagger
        >>> model = TokenTagger("small", labels=["O", "B-LOC", "I-LOC"])  # To be trained.
        >>> found = model.entities(["我在北京", ""])
        >>> found["text"].shape, found["start"].shape
        (TensorShape([2, None]), TensorShape([2, None]))
        """
        kernels.require_tensorflow("entities")
        return self._entities(texts, lambda ids: self(ids, training=False), stride)

    def _entities(self, texts, call, stride=None):
        from keras_bert_zh.heads.entities import find_entities  # It imports TensorFlow.

        self.check_strings()
        return find_entities(self, texts, call, stride)

    def endpoints(self, call):
        if self.preprocess is None or self.takes_pairs:
            return {}
        return {"entities": lambda texts: self._entities(texts, call)}

    def compute_output_spec(self, inputs, training=None):
        batch, length, _ = self.encoded_spec(inputs).shape
        return keras.KerasTensor((batch, length, self.head.outputs), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "crf": self.crf is not None}


def _has_crf(source: Checkpoint | BertEncoder) -> bool:
    """Tells whether a checkpoint has the weights of a CRF, and the head that they belong to."""
    return isinstance(source, Checkpoint) and "crf" in source.parts
