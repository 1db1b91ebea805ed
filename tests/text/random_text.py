"""Random strings of everything a tokeniser may trip over."""

import random
import unicodedata
from collections.abc import Callable, Iterator

INVALID = (
    *(b"\xff", b"\x80", b"\xe4\xb8", b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xf0\x9f\x98"),
    *(b"\xc0\xaf", b"\xe0\x80\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x80"),
)
COMMON = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工"
ODDITIES = "\0\t\n\r\x0b\x0c\x1c\x1f\x85\xa0\u3000\u2028\u2029\u200b\u200d\ufe0f\ufeff\xad\ufffdΣσς"
# Words around the limit of 200 characters; some letters grow, shrink or vanish in lower case.
LETTERS = (
    "a",
    "é",
    "あ",
    "가",
    "각",
    "9",
    "Σ",
    "αΣ",
    "e\u0301",
    "İ",
    "ﬃ",
    "Ǆ",
    "ำ",
    "𝒳",
    "a\u200b",
)
LENGTHS = (50, 66, 67, 99, 100, 101, 198, 199, 200, 201, 202, 400)


def random_texts(count: int, vocabulary, seed: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    generators = _generators(rng, vocabulary)
    for _ in range(count):
        kind = rng.random()
        if kind < 0.04:
            yield _long_word(rng)
            continue
        chosen = generators if kind < 0.6 else rng.sample(generators, 3)
        parts = [rng.choice(chosen)().encode() for _ in range(rng.choice((1, 2, 3, 5, 8, 13, 30)))]
        if kind > 0.9:
            for _ in range(rng.randint(1, 3)):
                parts.insert(rng.randint(0, len(parts)), rng.choice(INVALID))
        yield b"".join(parts)


def _generators(rng: random.Random, vocabulary) -> list[Callable[[], str]]:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    categories: dict[str, list[str]] = {}
    for char in characters:
        categories.setdefault(unicodedata.category(char), []).append(char)
    of = {name: (lambda pool=pool: rng.choice(pool)) for name, pool in categories.items()}
    blocks = ((0x20, 0x7E), (0x61, 0x7A), (0x30, 0x39), (0x370, 0x3FF), (0x400, 0x4FF))
    blocks += ((0x590, 0x7FF), (0x1100, 0x11FF), (0x3000, 0x30FF), (0x3400, 0x4DBF))
    blocks += ((0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFF00, 0xFFEF))
    blocks += ((0x1F300, 0x1FAFF), (0x20000, 0x2A6DF), (0x2CEB0, 0x2FA1F), (0xE000, 0xF8FF))
    within = [lambda a=a, b=b: chr(rng.randint(a, b)) for a, b in blocks]
    pieces = [token.removeprefix("##") for token in vocabulary]
    return [
        *(lambda: rng.choice(COMMON), lambda: rng.choice(COMMON), lambda: " "),
        *(lambda: rng.choice(ODDITIES), lambda: rng.choice(pieces), lambda: rng.choice(vocabulary)),
        *within,
        *(of[name] for name in sorted(of) if name != "Cs"),
    ]


def _long_word(rng: random.Random) -> bytes:
    letter = rng.choice(LETTERS)
    word = (letter * (rng.choice(LENGTHS) // len(letter) + rng.randint(0, 2))).encode()
    before, after = rng.choice((b"", "中".encode(), b"a ", b"x.")), rng.choice((b"", b" b", b"."))
    return before + word + after
