"""The baseline for entities: a CRF that looks at characters and their neighbours."""

import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence

from parts.tagged import Tagged

import pycrfsuite

from keras_bert_zh.label_schemes import Span, to_labels, to_spans

ROUNDS = 60


def fit(texts: Sequence[Tagged]) -> Callable[[str], list[Span]]:
    """Returns a function that finds the entities in a text."""
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    trainer.set_params({"c1": 0.1, "c2": 0.1, "max_iterations": ROUNDS, "feature.minfreq": 2})
    for tagged in texts:
        trainer.append(list(features(tagged.text)), to_labels(tagged.spans, len(tagged.text)))
    tagger = pycrfsuite.Tagger()
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "model")
        trainer.train(str(file))
        tagger.open(str(file))  # It keeps all of the file in memory.
    return lambda text: to_spans(tagger.tag(list(features(text))))


def features(text: str) -> Iterator[list[str]]:
    """Yields for each character itself, two neighbours on each side, and pairs of these."""
    padded = f"\n\n{text}\n\n"
    for place in range(len(text)):
        around = padded[place : place + 5]
        single = [f"{where}{character}" for where, character in enumerate(around)]
        pairs = [f"{where}{around[where : where + 2]}" for where in range(4)]
        yield [*single, *pairs]
