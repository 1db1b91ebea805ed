import numpy as np
import pytest
import tensorflow as tf

from recipes.small.losses import Losses, Scales, losses
from recipes.small.teacher import Lesson
from tests.recipes.small.fake_e5 import WIDTH

pytestmark = pytest.mark.slow

SCALES = Scales(*np.random.default_rng(0).uniform(0.5, 1.5, (3, WIDTH)).astype(np.float32))
INPUTS = {
    "input_ids": np.array([[101, 110, 103, 112, 102], [101, 115, 103, 102, 0]], np.int32),
    "input_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]], np.int32),
    "segment_ids": np.zeros((2, 5), np.int32),
}
POSITIONS = np.array([[1, 2], [2, 0]], np.int32)
WEIGHTS = np.array([[1, 1], [1, 0]], np.float32)


@pytest.fixture(scope="module")
def own(pupil):
    """A lesson on what the student says already, and its logits.

    In training, as it is judged: bfloat16 is rounded elsewhere there.
    """
    outputs = pupil.encoder(INPUTS, all_layers=True, training=True)
    pooled = tf.cast(outputs["pooled_output"], tf.float32)
    vectors = pooled / 0.4 * SCALES.vector_deviation + SCALES.vector_mean
    hidden = tf.cast(outputs["encoder_outputs"][3], tf.float32)
    weights = np.array([[0, 1, 1, 1, 0], [0, 1, 1, 0, 0]], np.float32)
    logits = np.array(pupil(INPUTS | {"mlm_positions": POSITIONS}, training=True))
    return Lesson(vectors, hidden, weights), logits


def judge(pupil, lesson, labels):
    inputs = INPUTS | {"mlm_positions": POSITIONS}
    example = (inputs, labels.astype(np.int32), WEIGHTS)
    return Losses(*map(float, losses(pupil, example, lesson, SCALES)))


def test_there_is_no_distance_from_oneself(pupil, own):
    lesson, logits = own
    result = judge(pupil, lesson, logits.argmax(axis=-1))
    assert result.pooled < 1e-9
    assert result.hidden == 0
    assert result.accuracy == 1


def test_tokens_count_by_their_weights(pupil, own):
    lesson, logits = own
    labels = logits.argmin(axis=-1)
    labels[0, 1] = logits[0, 1].argmax()
    result = judge(pupil, lesson, labels)
    assert result.accuracy == pytest.approx(1 / 3)
    entropies = np.log(np.exp(logits).sum(axis=-1))
    entropies -= np.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
    assert result.masked_lm == pytest.approx(entropies.ravel()[:3].mean(), rel=1e-3)


def test_distances_are_in_variances(pupil, own):
    lesson, logits = own
    moved = lesson._replace(
        vectors=lesson.vectors + 0.5 * SCALES.vector_deviation,
        hidden=lesson.hidden + lesson.weights[..., None] * 2 * SCALES.hidden_deviation,
    )
    result = judge(pupil, moved, logits.argmax(axis=-1))
    assert result.pooled == pytest.approx(0.25, rel=1e-3)
    assert result.hidden == pytest.approx(4, rel=1e-3)
    assert result.total() == result.masked_lm + 30 * result.pooled + 4 * result.hidden


def test_what_has_no_weight_is_not_taught(pupil, own):
    lesson, logits = own
    moved = lesson._replace(hidden=lesson.hidden + 9 * (1 - lesson.weights[..., None]))
    assert judge(pupil, moved, logits.argmax(axis=-1)).hidden == 0


def test_the_pooled_output_need_not_go_to_the_end(pupil, own):
    """Of tanh, which is far."""
    lesson, logits = own
    far = lesson._replace(vectors=lesson.vectors + 1000 * SCALES.vector_deviation)
    pooled = np.array(pupil.encoder(INPUTS)["pooled_output"], np.float32)
    result = judge(pupil, far, logits.argmax(axis=-1))
    assert result.pooled == pytest.approx(((0.95 - pooled) ** 2).mean() / 0.16, rel=1e-3)


def test_scales_are_those_of_what_is_taught():
    random = np.random.default_rng(0)
    lessons = [
        Lesson(
            tf.constant(random.normal(2, 3, (4, WIDTH))),
            tf.constant(random.normal(1, 5, (4, 6, WIDTH))),
            random.integers(0, 2, (4, 6)),
        )
        for _ in range(3)
    ]
    scales = Scales.measure(lessons)
    vectors = np.concatenate([lesson.vectors for lesson in lessons])
    np.testing.assert_allclose(scales.vector_mean, vectors.mean(axis=0))
    np.testing.assert_allclose(scales.vector_deviation, vectors.std(axis=0))
    taught = [
        lesson.hidden.numpy()[row, place]
        for lesson in lessons
        for row, place in zip(*np.nonzero(lesson.weights), strict=True)
    ]
    np.testing.assert_allclose(scales.hidden_deviation, np.std(taught, axis=0))


def test_a_batch_without_masks_teaches_the_rest(pupil, own):
    lesson, _ = own
    example = (INPUTS | {"mlm_positions": POSITIONS}, np.zeros((2, 2), np.int32), 0 * WEIGHTS)
    moved = lesson._replace(vectors=lesson.vectors + SCALES.vector_deviation)
    result = losses(pupil, example, moved, SCALES)
    assert float(result.masked_lm) == float(result.accuracy) == 0
    assert result.pooled > 0.5
    assert float(result.total()) == pytest.approx(30 * float(result.pooled))
