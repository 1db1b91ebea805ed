import random

from keras_bert_zh.serving.fair_queue import FairQueue, Work


def names(taken):
    return [work.rows[place] for work, place in taken]


def filled(*works):
    queue = FairQueue()
    for work in works:
        queue.add(work)
    return queue


def test_a_request_keeps_its_order():
    queue = filled(Work("abcdef", [3, 1, 4, 1, 5, 9]))
    assert (queue.rows, queue.tokens) == (6, 23)
    assert names(queue.take(8)) == ["a", "b", "c"]
    assert names(queue.take(8)) == ["d", "e"]
    assert names(queue.take(8)) == ["f"]  # Alone, as it has more.
    assert (queue.rows, queue.tokens) == (0, 0)
    assert queue.take(8) == []


def test_long_requests_do_not_hold_up_short_ones():
    queue = filled(Work(["long"] * 50, [100] * 50))
    assert names(queue.take(200)) == ["long"] * 2
    queue.add(Work(["short"], [10]))
    assert names(queue.take(200))[0] == "short"


def test_short_requests_do_not_starve_a_long_one():
    queue, waited = filled(Work(["long"], [512])), 0
    while True:
        queue.add(Work(["short"], [10]))
        queue.add(Work(["short"], [10]))
        taken = names(queue.take(20))
        waited += 1
        if "long" in taken:
            break
    assert waited < 60


def test_requests_share_by_tokens():
    queue = filled(Work("a" * 400, [10] * 400), Work("b" * 100, [40] * 100))
    shares = {"a": 0, "b": 0}
    for _ in range(20):
        for work, place in queue.take(80):
            shares[work.rows[place]] += work.lengths[place]
    assert abs(shares["a"] - shares["b"]) <= 80


def test_dropped_rows_are_not_taken():
    gone, stays = Work("abc", [5, 5, 5]), Work("x", [20])
    queue = filled(gone, stays)
    assert names(queue.take(5)) == ["a"]
    queue.drop(gone)
    queue.drop(gone)
    assert (queue.rows, queue.tokens) == (1, 20)
    assert names(queue.take(100)) == ["x"]
    assert (queue.rows, queue.tokens) == (0, 0)


def test_padding_is_bounded():
    queue = filled(Work(["short"] * 100, [1] * 100), Work(["long"], [64]))
    sizes = []
    while queue.rows:
        lengths = [work.lengths[place] for work, place in queue.take(128)]
        sizes.append(len(lengths) * max(lengths))
    assert max(sizes) <= 8 * 128


def test_everything_is_taken_once():
    generator = random.Random(0)
    works = [
        Work(range(n), [generator.randint(1, 50) for _ in range(n)])
        for n in (1, 7, 30, 2, 90, 1, 1)
    ]
    queue, seen = filled(*works), []
    while queue.rows:
        taken = queue.take(100)
        assert len(taken) == 1 or sum(work.lengths[place] for work, place in taken) <= 100
        seen += taken
    for work in works:
        assert [place for each, place in seen if each is work] == [*work.rows]
    assert queue.tokens == 0


def test_all_is_cleared():
    kept, gone = Work("ab", [1, 1]), Work("c", [1])
    queue = filled(kept, gone)
    queue.drop(gone)
    assert queue.clear() == {kept}
    assert (queue.rows, queue.tokens, queue.take(9)) == (0, 0, [])
