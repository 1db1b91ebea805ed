"""The values of weights before they are trained or loaded."""

import keras

from keras_bert_zh.layers import kernels


def fresh_weights(initializer_range: float | None) -> keras.initializers.Initializer:
    """Returns BERT's initializer: a normal distribution, truncated at two standard deviations.

    Args:
        initializer_range: float, the standard deviation; or `None` for arbitrary values that will
            be overwritten, because drawing random numbers for BERT-base takes seconds.

    Reference:
        `create_initializer` in google-research/bert `modeling.py`.
    """
    if initializer_range is None:
        return kernels.unwritten()
    return keras.initializers.TruncatedNormal(stddev=initializer_range)
