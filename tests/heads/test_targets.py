"""Labels by name, in every form."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh.heads.targets import check_several, label_numbers


@pytest.mark.parametrize(
    "names",
    [
        ("b", "a", "c"),
        np.array(["b", "a", "c"]),
        np.array([b"b", b"a", b"c"], object),
        tf.constant(["b", "a", "c"]),
    ],
)
def test_names_of_labels_in_every_form(names):
    assert label_numbers(names, "abc").tolist() == [1, 0, 2]


def test_texts_that_have_no_labels_at_all():
    found = label_numbers([[], []], "abc", several=True)
    np.testing.assert_array_equal(found, np.zeros((2, 3)))


@pytest.mark.parametrize("labels", [[0, 2], np.array([1, 2]), [[0], [1, 2]], np.zeros((2, 4))])
def test_several_labels_of_another_shape(labels):
    with pytest.raises(
        ValueError, match=r"^For several labels .* <float>\[B, 3\] .* got (the shape|rows)"
    ):
        check_several(labels, "abc")


def test_several_labels_of_the_right_shape():
    for labels in (np.eye(3), np.eye(3).tolist(), tf.zeros(3), np.zeros((0, 3))):
        check_several(labels, "abc")
