"""MaskTokens: masks tokens for a masked language model."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_bert_zh.arguments import check_int, check_share
from keras_bert_zh.input_keys import BESIDE_KEYS, INPUT_KEYS
from keras_bert_zh.preprocess import BertPreprocess

if TYPE_CHECKING:
    import tensorflow as tf

# Blank lines of a vocab.txt stand in for tokens, too.
_UNUSED = re.compile(r"(\[unused\d+\])?")


class MaskTokens:
    """Masks tokens for BERT's masked language model, with new random masks at each step.

    In each row, a share `rate` of the tokens is chosen at random: the nearest whole number, at
    least one, at most `max_predictions`. Of the chosen tokens, `mask_share` become `[MASK]`,
    `random_share` become another token of the vocabulary, and the rest are not changed. Special
    tokens, including `[UNK]`, and padding are never chosen. Special tokens and tokens such as
    `[unused1]` are never used as random tokens.

    If the inputs have `word_starts`, whole words are chosen, and the replacement of each of their
    tokens is drawn separately. A row may then have more or fewer tokens than `rate`, but `rate` on
    average. A word that would exceed `max_predictions` is left out.

    Random numbers depend only on `(seed, step)` and on the shape of the batch. `PackedText` counts
    its batches over all epochs, so each epoch has new masks, and a run that is resumed sees the
    same masks as a run that was not stopped. For other datasets, use
    `dataset.repeat().enumerate().map(lambda step, inputs: mask(inputs, step))`.

    Args:
        preprocess: BertPreprocess with the vocabulary of the ids.
        rate: float, the share of the tokens that are chosen.
        max_predictions: int, P. Use 20 for rows of 128 tokens, and 80 for 512.
        mask_share: float, the share of the chosen tokens that become `[MASK]`.
        random_share: float, the share of the chosen tokens that become a random token.
        seed: int.

    Call arguments:
        inputs: dict of `input_ids`, `input_mask` and `segment_ids`, each `<int32>[B, S]`, and, for
            whole words, `word_starts` `<int32>` or `<bool>` `[B, S]`, 1 where a word begins.
        step: `<int64>[]`, any int, different for each batch.

    Returns:
        A tuple for `fit`: the dict of the three masked inputs and `mlm_positions`
        `<int32>[B, P]` in increasing order; the original ids at these positions `<int32>[B, P]`;
        and their weights `<float32>[B, P]`. If fewer than P tokens are chosen, positions, ids and
        weights end with zeros. The random numbers are different if XLA compiles this.

    Raises:
        TypeError: if `preprocess` is not a BertPreprocess, or `step` is not an int.
        ValueError: if the vocabulary lacks `[MASK]`, a number is out of range, or the inputs are
            not as described.

    Example:

    >>> from keras_bert_zh import BertPreprocess, MaskTokens
    >>> preprocess = BertPreprocess(None, max_length=16)
    >>> mask = MaskTokens(preprocess, max_predictions=3, mask_share=1, random_share=0)
    >>> inputs, labels, weights = mask(preprocess(["今天天气很好我们去公园吧"]), step=3)
    >>> preprocess.detokenize(inputs["input_ids"]).numpy()[0].decode()
    '今天天[MASK]很好我们[MASK]公园吧'
    >>> inputs["mlm_positions"].numpy(), preprocess.detokenize(labels).numpy()[0].decode()
    (array([[4, 9, 0]], dtype=int32), '气去')
    >>> weights.numpy()
    array([[1., 1., 0.]], dtype=float32)

    Reference:
        `create_masked_lm_predictions` in google-research/bert `create_pretraining_data.py`.
    """

    def __init__(
        self,
        preprocess: BertPreprocess,
        *,
        rate: float = 0.15,
        max_predictions: int = 20,
        mask_share: float = 0.8,
        random_share: float = 0.1,
        seed: int = 0,
    ):
        if not isinstance(preprocess, BertPreprocess):
            raise TypeError(f"preprocess must be a BertPreprocess, got {preprocess!r}.")
        special = preprocess.special_ids
        if "[MASK]" not in special:
            raise ValueError(
                f"The vocabulary of preprocess has no [MASK] among its {len(preprocess.vocabulary)}"
                " tokens. Use the vocabulary of a checkpoint, or add [MASK] to your own."
            )
        self.rate = check_share("rate", rate, above_zero=True)
        self.max_predictions = check_int("max_predictions", max_predictions, 1)
        self.mask_share = check_share("mask_share", mask_share)
        self.random_share = check_share("random_share", random_share)
        if self.mask_share + self.random_share > 1:
            raise ValueError(
                "The sum of mask_share and random_share must be at most 1, got "
                f"{mask_share} and {random_share}."
            )
        self.seed = check_int("seed", seed)
        self._mask_id = special["[MASK]"]
        vocabulary = preprocess.vocabulary
        self._is_special = np.isin(np.arange(len(vocabulary)), list(special.values()))
        unused = np.array([bool(_UNUSED.fullmatch(token)) for token in vocabulary])
        self._ordinary = np.flatnonzero(~self._is_special & ~unused).astype(np.int32)

    def __call__(
        self, inputs: Mapping[str, Any], step: Any
    ) -> tuple[dict[str, "tf.Tensor"], "tf.Tensor", "tf.Tensor"]:
        # Imported here: the package can be used without TensorFlow where no string is.
        import tensorflow as tf

        from keras_bert_zh.data.word_choice import choose, places

        inputs = _to_tensors(inputs)
        ids = inputs["input_ids"]
        scores, tie_breaks, outcomes, replacements = tf.unstack(
            tf.random.stateless_uniform(
                tf.concat([[4], tf.shape(ids)], 0), self._random_seed(step), alg="philox"
            )
        )
        chosen = choose(
            (inputs["input_mask"] == 1) & ~tf.gather(self._is_special, ids),
            inputs.pop("word_starts", tf.ones_like(ids)),
            scores,
            tie_breaks,
            rate=self.rate,
            limit=self.max_predictions,
        )
        others = tf.gather(self._ordinary, tf.cast(replacements * len(self._ordinary), tf.int32))
        masked = tf.where(outcomes < self.mask_share + self.random_share, others, ids)
        masked = tf.where(outcomes < self.mask_share, self._mask_id, masked)
        positions, used = places(chosen, self.max_predictions)
        labels = tf.where(used, tf.gather(ids, positions, batch_dims=1), 0)
        inputs |= {"input_ids": tf.where(chosen, masked, ids), "mlm_positions": positions}
        return inputs, labels, tf.cast(used, tf.float32)

    def _random_seed(self, step: Any) -> "tf.Tensor":
        import tensorflow as tf

        step = tf.convert_to_tensor(step)
        if not step.dtype.is_integer or step.shape.rank != 0:
            raise TypeError(
                f"step must be one int for the whole batch, got {step.dtype.name} of shape "
                f"{step.shape}. Number the batches: dataset.repeat().enumerate()."
            )
        return tf.stack([tf.constant(self.seed, tf.int64), tf.cast(step, tf.int64)])


def _to_tensors(inputs: Any) -> dict[str, "tf.Tensor"]:
    """Returns a new dict of `<int32>[B, S]`."""
    import tensorflow as tf

    keys = set(inputs) if isinstance(inputs, Mapping) else None
    if keys is None or keys - {"word_starts", *BESIDE_KEYS} != set(INPUT_KEYS):
        given = type(inputs).__name__ if keys is None else f"keys {sorted(keys)}"
        raise ValueError(
            f"MaskTokens takes a dict of {', '.join(INPUT_KEYS)} and, optionally, word_starts, "
            f"each int32 [batch, sequence]; got {given}."
        )
    tensors = {
        name: tf.convert_to_tensor(value)
        for name, value in inputs.items()
        if name not in BESIDE_KEYS
    }
    for name, tensor in tensors.items():
        known = tensor.dtype.is_integer or (tensor.dtype.is_bool and name != "input_ids")
        if not known or tensor.shape.rank != 2:
            raise ValueError(
                f"{name} must be int32 [batch, sequence], got {tensor.dtype.name} of shape "
                f"{tensor.shape}. Mask batches, not single texts: call dataset.batch(...) first."
            )
        if not tensor.shape.is_compatible_with(tensors["input_ids"].shape):
            raise ValueError(
                f"{name} must have the shape of input_ids, {tensors['input_ids'].shape}; got "
                f"{tensor.shape}."
            )
    return {name: tf.cast(tensor, tf.int32) for name, tensor in tensors.items()}
