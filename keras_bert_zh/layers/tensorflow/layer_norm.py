"""Layer normalisation with a custom gradient."""

import tensorflow as tf


def layer_norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    """See `portable.layer_norm`; keeps only `x`."""

    @tf.custom_gradient
    def normalize(x, gamma, beta):
        def normal_and_scale():
            centred = tf.cast(x, gamma.dtype)
            centred -= tf.reduce_mean(centred, -1, keepdims=True)
            variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
            inverse = tf.math.rsqrt(variance + epsilon)
            return centred * inverse, inverse

        def gradient(upstream):
            # Of `x`, and not from above, for the sake of gradients of this gradient.
            normal, inverse = normal_and_scale()
            upstream = tf.cast(upstream, gamma.dtype)
            product = upstream * normal
            others = list(range(upstream.shape.rank - 1))
            scaled = upstream * gamma
            mean = tf.reduce_mean(scaled, -1, keepdims=True)
            slope = tf.matmul(product, tf.reshape(gamma, (-1, 1))) * (1 / gamma.shape[0])
            inner = tf.cast((scaled - mean - normal * slope) * inverse, x.dtype)
            return inner, tf.reduce_sum(product, others), tf.reduce_sum(upstream, others)

        normal, _ = normal_and_scale()
        return tf.cast(tf.nn.bias_add(normal * gamma, beta), x.dtype), gradient

    return normalize(x, gamma, beta)
