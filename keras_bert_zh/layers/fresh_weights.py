"""What weights hold before they are trained or loaded."""

import keras


def fresh_weights(initializer_range: float | None) -> keras.initializers.Initializer:
    """Returns BERT's initializer: a normal distribution, cut at two standard deviations.

    Args:
        initializer_range: float, the standard deviation; or `None` for anything, because all of
            it will be overwritten: drawing random numbers for BERT-base takes seconds.

    Reference:
        `create_initializer` in google-research/bert `modeling.py`.
    """
    if initializer_range is not None:
        return keras.initializers.TruncatedNormal(stddev=initializer_range)
    if keras.backend.backend() == "tensorflow":
        from keras_bert_zh.layers.tensorflow_empty import Empty

        return Empty()
    return keras.initializers.Zeros()
