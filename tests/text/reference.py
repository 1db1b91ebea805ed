"""google-research/bert's own tokeniser, from its PyPI package."""

import functools

from absl import flags
from bert import tokenization

# The package asks an absl flag, which must have been parsed.
if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()


class ReferenceTokenizer:
    """`FullTokenizer`, but for its `load_vocab`: that of 1.0.4 shifts ids after a repeated line."""

    def __init__(self, vocabulary, lowercase: bool):
        self._ids = {token: index for index, token in enumerate(vocabulary)}
        self._basic = tokenization.BasicTokenizer(do_lower_case=lowercase)
        self._wordpiece = tokenization.WordpieceTokenizer(vocab=self._ids)

    def ids(self, text: str | bytes) -> list[int]:
        words = self._basic.tokenize(text)
        return [self._ids[piece] for word in words for piece in self._wordpiece.tokenize(word)]


@functools.cache
def reference(vocabulary, lowercase: bool) -> ReferenceTokenizer:
    return ReferenceTokenizer(vocabulary, lowercase)
