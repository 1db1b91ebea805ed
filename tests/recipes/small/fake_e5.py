"""A tiny model in the format of the teacher's file, a vocabulary and a text to go with it."""

import struct

import numpy as np

WIDTH, LAYERS, HEADS, INNER, POSITIONS, TYPES = 32, 12, 4, 64, 192, 2
MATRICES = {"q": (WIDTH, WIDTH), "k": (WIDTH, WIDTH), "v": (WIDTH, WIDTH), "ao": (WIDTH, WIDTH)}
MATRICES |= {"fi": (INNER, WIDTH), "fo": (WIDTH, INNER)}

IDEOGRAPHS = "今天气很好我们去公园吧不也说你他她这那了是在有人大小上下来到时地出就"
VOCABULARY = [
    "[PAD]",
    *(f"[unused{number}]" for number in range(1, 100)),
    *("[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *("，", "。", "!", ",", "2013", "hello", "world", "##ing", "##ed"),
    *IDEOGRAPHS,
    *("龘", "zebra"),  # The teacher has no pieces that are written like these.
]

IDS = {token: index for index, token in enumerate(VOCABULARY)}
FREQUENCIES = np.random.default_rng(0).dirichlet(np.ones(len(VOCABULARY)))

# With their scores: of the ways to split a text, the likeliest is taken.
PIECES = {"<s>": 0, "<pad>": 0, "</s>": 0, "<unk>": 0, "▁": -6, "▁query": -4, ":": -4}
PIECES |= dict.fromkeys((",", ".", "!", "。", "ing", "ed"), -5)
PIECES |= dict.fromkeys(("▁hello", "hello", "▁world", "world", "▁2013"), -4)
PIECES |= dict.fromkeys(("天气", "我们", "公园"), -4.5)
PIECES |= dict.fromkeys(IDEOGRAPHS, -5)
PIECES |= {"▁今": -5, "<mask>": 0}
ROWS = {piece: row for row, piece in enumerate(PIECES)}
SPARE_ROWS = 3


def ids(*tokens):
    return np.array([IDS[token] for token in tokens], np.int32)


def write(path, tensors, layers=LAYERS):
    """Writes the file, its matrices in 4 bits a number."""
    texts = [piece.encode() for piece in PIECES]
    parts = [
        b"E5S1",
        struct.pack("<i", 1),
        struct.pack("<7i", WIDTH, layers, HEADS, INNER, len(PIECES) + SPARE_ROWS, POSITIONS, TYPES),
        struct.pack("<fi", 1e-12, 32),
        struct.pack("<5iQ", len(texts), 0, 2, 1, 3, sum(map(len, texts))),
        np.cumsum([0, *map(len, texts)], dtype="<u4").tobytes(),
        np.array(list(PIECES.values()), "<f4").tobytes(),
        *texts,
        struct.pack("<iI", 2, 7) + b"\x07" * 7,
        struct.pack("<i", len(tensors)),
    ]
    stored = {
        name: _as_blocks(tensor) if is_rounded(name, tensor) else tensor.astype("<f4").tobytes()
        for name, tensor in tensors.items()
    }
    begin = sum(map(len, parts)) + sum(2 + len(name) + 21 for name in stored)
    for name, data in stored.items():
        parts.append(struct.pack("<H", len(name)) + name.encode())
        parts.append(struct.pack("<BIQQ", 1, tensors[name].size, begin, len(data)))
        begin += len(data)
    path.write_bytes(b"".join([*parts, *stored.values()]))


def is_rounded(name, tensor):
    return tensor.ndim == 2 and name not in ("emb.pos", "emb.type")


def _as_blocks(tensor):
    """Returns blocks of 32 numbers: their scale, and 16 bytes that hold two of them each."""
    stored = b""
    for block in tensor.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7)
        nibbles = [int(np.clip(round(value / float(scale)) + 8, 0, 15)) for value in block]
        pairs = zip(nibbles[:16], nibbles[16:], strict=True)
        stored += scale.tobytes() + bytes(low + 16 * high for low, high in pairs)
    return stored


def make(layers=LAYERS):
    """Returns the tensors, by the names of the file."""
    shapes = {
        "emb.word": (len(PIECES) + SPARE_ROWS, WIDTH),
        "emb.pos": (POSITIONS, WIDTH),
        "emb.type": (TYPES, WIDTH),
    }
    norms = ["emb.ln"]
    for layer in range(layers):
        shapes |= {f"l{layer}.{part}.w": shape for part, shape in MATRICES.items()}
        shapes |= {f"l{layer}.{part}.b": shape[:1] for part, shape in MATRICES.items()}
        norms += [f"l{layer}.aln", f"l{layer}.oln"]
    for norm in norms:
        shapes |= {f"{norm}.w": (WIDTH,), f"{norm}.b": (WIDTH,)}
    tensors = {}
    for seed, (name, shape) in enumerate(shapes.items()):
        # Layers change little, so that tokens are still told apart behind twelve of them.
        deviation = 1 if name == "emb.word" else 0.1
        values = np.random.default_rng(seed).normal(0, deviation, shape)
        tensors[name] = (values + name.endswith("ln.w")).astype(np.float32)
    return tensors


def write_text(path, lines, seed=0):
    """Writes lines in which each character tells its neighbours."""
    random = np.random.default_rng(seed)
    begins = random.integers(len(IDEOGRAPHS), size=lines).tolist()
    sizes = random.integers(4, 20, size=lines).tolist()
    runs = [IDEOGRAPHS[begin] * size for begin, size in zip(begins, sizes, strict=True)]
    path.write_text("".join(f"{run}。\n" for run in runs), encoding="utf-8")
