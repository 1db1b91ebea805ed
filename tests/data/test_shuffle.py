import numpy as np
import pytest

from keras_bert_zh.data.shuffle import shuffled

COUNTS = (1, 2, 3, 4, 5, 16, 17, 99, 257, 1000)


def epochs(count, epochs, seed=0):
    """`<int64>[epochs, count]`."""
    return shuffled(np.arange(epochs * count), count, seed).reshape(epochs, count)


@pytest.mark.parametrize("count", COUNTS)
def test_each_row_once_an_epoch(count):
    for order in epochs(count, 20):
        assert sorted(order) == list(range(count))


def test_positions_may_be_asked_for_one_by_one():
    whole = epochs(17, 9).ravel()
    one_by_one = [int(shuffled(np.array([place]), 17, 0)[0]) for place in range(9 * 17)]
    assert one_by_one == whole.tolist()
    assert shuffled(np.array([], np.int64), 17, 0).tolist() == []


def test_it_never_changes():
    """A run that was stopped goes on with the same rows, also with other versions of libraries."""
    first, second = [9, 2, 1, 3, 6, 7, 8, 4, 5, 0], [4, 1, 0, 7, 5, 9, 3, 6, 8, 2]
    assert epochs(10, 2).tolist() == [first, second]
    far = shuffled(np.arange(10**12, 10**12 + 4), 10**9, -5)
    assert far.tolist() == [516649431, 492278817, 63637042, 676340436]


@pytest.mark.parametrize("other", [1, -1, 2**32, 2**62, -(2**63)])
def test_another_seed_is_another_order(other):
    one, two = epochs(1000, 1)[0], epochs(1000, 1, seed=other)[0]
    assert np.count_nonzero(one == two) < 10


@pytest.mark.parametrize("count", [2, 3, 5, 17, 33])
def test_every_row_comes_everywhere_as_often(count):
    orders = epochs(count, 20_000)
    found = [np.bincount(column, minlength=count) for column in orders.T]
    expected = 20_000 / count
    freedom = (count - 1) ** 2
    # Each row and each column of this table adds up to the same.
    squares = ((np.array(found) - expected) ** 2 / expected).sum() * (count - 1) / count
    assert abs(squares - freedom) < 4.5 * np.sqrt(2 * freedom)


def test_epochs_have_nothing_in_common():
    orders = epochs(5000, 200)
    same = (orders[1:] == orders[:-1]).sum(axis=1)
    # As of two orders at random: one row stands in its old place, give or take one.
    assert abs(same.mean() - 1) < 0.3
    assert 0.6 < same.var() < 1.4
    assert len(np.unique(orders[:, :3], axis=0)) == 200


def test_neighbours_are_parted():
    orders = epochs(5000, 100).astype(float)
    correlations = [np.corrcoef(order[1:], order[:-1])[0, 1] for order in orders]
    assert abs(np.std(correlations) * np.sqrt(5000) - 1) < 0.25
    # The mean of 50 rows spreads as that of 50 numbers at random.
    spread = orders.reshape(100, -1, 50).mean(axis=2).std() / (5000 / np.sqrt(12 * 50))
    assert 0.97 < spread < 1.03
