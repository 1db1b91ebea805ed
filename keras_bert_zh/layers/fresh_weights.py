"""What weights hold before they are trained or loaded."""

import keras

from keras_bert_zh.layers import kernels


def fresh_weights(initializer_range: float | None) -> keras.initializers.Initializer:
    """Returns BERT's initializer: a normal distribution, cut at two standard deviations.

    Args:
        initializer_range: float, the standard deviation; or `None` for anything, because all of
            it will be overwritten: drawing random numbers for BERT-base takes seconds.

    Reference:
        `create_initializer` in google-research/bert `modeling.py`.
    """
    if initializer_range is None:
        return kernels.unwritten()
    return keras.initializers.TruncatedNormal(stddev=initializer_range)
