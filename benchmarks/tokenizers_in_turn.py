"""The contestants of `benchmarks.preprocess`.

Each has `run`, which turns texts into BERT inputs and returns the number of texts, and `rows`,
which returns the inputs of all texts, `<int32>[texts, 3, S]`. The others take ten times as long as
ours or more: their `run` uses every eighth batch from a given one, while ours uses all texts.
"""

import statistics
import time

import numpy as np

MAX_LENGTH = 128
BATCH = 256
# In so many turns the others see all texts.
PARTS = 8
# The original is slower still: it gets every fourth text.
STEP = 4

ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
    "RAYON_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TOKENIZERS_PARALLELISM": "false",
}


def on_one_thread(texts: list[str]):
    """Returns a dataset of batches of texts; TensorFlow computes on one thread from then on."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = 1
    options.threading.max_intra_op_parallelism = 1
    return tf.data.Dataset.from_tensor_slices(texts).batch(BATCH).with_options(options)


class Ours:
    """`BertPreprocess`, mapped over batches of a dataset."""

    def __init__(self, texts: list[str]):
        clock = _Stopwatch()
        import tensorflow_text  # noqa: F401

        from keras_bert_zh import BertPreprocess

        imported = clock.lap()
        batches = on_one_thread(texts)
        self._count = len(texts)
        clock.lap()
        constructed = []
        for _ in range(6):
            preprocess = BertPreprocess(None, max_length=MAX_LENGTH)
            constructed.append(clock.lap())
        self._dataset = batches.map(preprocess)
        traced = clock.lap()
        next(iter(self._dataset))
        self._phases = {
            "import of TensorFlow, Keras and tensorflow-text": imported,
            "first `BertPreprocess(None)` of the process": constructed[0],
            "`BertPreprocess(None)` after that, median of 5": statistics.median(constructed[1:]),
            "`dataset.map(preprocess)`, which traces": traced,
            f"first batch of {BATCH}": clock.lap(),
        }
        # Time in proportion to the length, also where the rules of rare texts apply.
        for unit, name in (("今天 hello，", "text"), ("x", "word"), ("ΑΣ", "word of Greek")):
            for megabytes in (2, 4, 8):
                text = unit * (megabytes * 1_000_000 // len(unit.encode()))
                clock.lap()
                preprocess([text])
                self._phases[f"one {name} of {megabytes} MB"] = clock.lap()

    def phases(self) -> dict[str, float]:
        return self._phases

    def run(self) -> int:
        for _ in self._dataset:
            pass
        return self._count

    def rows(self) -> np.ndarray:
        keys = ("input_ids", "input_mask", "segment_ids")
        batches = [np.stack([batch[key] for key in keys], 1) for batch in self._dataset]
        return np.concatenate(batches)


class HuggingFace:
    """`BertWordPieceTokenizer`, which cuts and pads as ours does."""

    def __init__(self, texts: list[str], vocabulary: str):
        from tokenizers import BertWordPieceTokenizer, Tokenizer

        wrapper = BertWordPieceTokenizer(vocabulary, lowercase=True)
        wrapper.enable_truncation(MAX_LENGTH)
        wrapper.enable_padding(length=MAX_LENGTH)
        # The bare tokeniser spares the wrapper's checks, and has encode_batch_fast.
        self._tokenizer = Tokenizer.from_str(wrapper.to_str())
        self._batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]

    def run(self, part: int, method: str, to_arrays: bool = False) -> int:
        encode = getattr(self._tokenizer, method)
        batches = self._batches[part::PARTS]
        for batch in batches:
            encodings = encode(batch)
            if to_arrays:
                self._arrays(encodings)
        return sum(map(len, batches))

    def rows(self) -> np.ndarray:
        encoded = map(self._tokenizer.encode_batch, self._batches)
        return np.concatenate([np.stack(self._arrays(encodings), 1) for encodings in encoded])

    def _arrays(self, encodings) -> list[np.ndarray]:
        attributes = ("ids", "attention_mask", "type_ids")
        return [np.array([getattr(e, name) for e in encodings], np.int32) for name in attributes]


class Original:
    """google-research/bert's own tokeniser; `run` stops at the ids of the texts."""

    def __init__(self, texts: list[str]):
        from keras_bert_zh.vocabulary import chinese_vocabulary
        from tests.text.reference import reference

        vocabulary = chinese_vocabulary()
        self._cls, self._sep = vocabulary.index("[CLS]"), vocabulary.index("[SEP]")
        self._tokenizer = reference(vocabulary, lowercase=True)
        self._texts = texts[::STEP]

    def run(self, part: int) -> int:
        texts = self._texts[part::PARTS]
        for text in texts:
            self._tokenizer.ids(text)
        return len(texts)

    def rows(self) -> np.ndarray:
        return np.stack([self._row(text) for text in self._texts])

    def _row(self, text: str) -> np.ndarray:
        ids = [self._cls, *self._tokenizer.ids(text)[: MAX_LENGTH - 2], self._sep]
        row = np.zeros((3, MAX_LENGTH), np.int32)
        row[0, : len(ids)], row[1, : len(ids)] = ids, 1
        return row


class _Stopwatch:
    def __init__(self):
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Returns the seconds since the last lap."""
        before, self._last = self._last, time.perf_counter()
        return self._last - before
