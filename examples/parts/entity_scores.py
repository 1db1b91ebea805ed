"""How well entities are found: of each kind, and of all."""

from collections.abc import Iterable, Sequence

from keras_bert_zh.label_schemes import Span


def scores(
    expected: Sequence[Iterable[Span]], found: Sequence[Iterable[Span]]
) -> dict[str, tuple[float, float, float, int]]:
    """Returns precision, recall, F1 and how many there are of each kind, and of all as "all".

    An entity is found if its kind and both its ends are right.
    """
    counts: dict[str, list[int]] = {}
    for right, guessed in zip(map(set, expected), map(set, found), strict=True):
        for place, spans in enumerate((right & guessed, guessed, right)):
            for span in spans:
                for kind in (span.kind, "all"):
                    counts.setdefault(kind, [0, 0, 0])[place] += 1
    rows = {}
    for kind in sorted(counts, key=lambda kind: (kind == "all", kind)):
        both, guessed, right = counts[kind]
        f1 = 2 * both / (guessed + right)
        rows[kind] = (both / max(guessed, 1), both / max(right, 1), f1, right)
    return rows


def show(by_kind: dict[str, tuple[float, float, float, int]]) -> None:
    """Prints the scores as a table."""
    width = max(map(len, by_kind))
    print(f"{'':{width}}  precision  recall      f1  entities")
    for kind, (precision, recall, f1, count) in by_kind.items():
        print(f"{kind:{width}}  {precision:9.4f}  {recall:6.4f}  {f1:6.4f}  {count:8,}")
