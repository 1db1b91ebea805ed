"""The archive in which Google published the Chinese BERT, and the digests of its files."""

import pathlib

from keras_bert_zh.checkpoints.sources import digests

URL = "https://storage.googleapis.com/bert_models/2018_11_03/chinese_L-12_H-768_A-12.zip"
FOLDER = "chinese_L-12_H-768_A-12"
SHA256 = {
    "bert_config.json": "7aaad0335058e2640bcb2c2e9a932b1cd9da200c46ea7b8957d54431f201c015",
    "bert_model.ckpt.data-00000-of-00001": (
        "756699356b78ad0ef1ca9ba6528297bcb3dd1aef5feadd31f4775d7c7fc989ba"
    ),
    "bert_model.ckpt.index": "46315546e05ce62327b3e2cd1bed22836adcb2ff29735ec87721396edb21b82e",
    "bert_model.ckpt.meta": "c0f8d51e1ab986604bc2b25d6ec0af7fd21ff94cf67081996ec3f3bf5d823047",
    "vocab.txt": "45bbac6b341c319adc98a532532882e91a9cefc0329aa57bac9ae761c27b291c",
}


def check(folder: pathlib.Path, archive: pathlib.Path) -> None:
    """Raises ValueError unless the folder, unpacked from the archive, has Google's files."""
    lines = digests.mismatches(folder, SHA256)
    if lines:
        raise ValueError(
            f"{archive} is not the {FOLDER} that Google published: {'; '.join(lines)}. Download "
            f"it again from {URL}. If you trained these weights further, unpack the archive and "
            "load the folder."
        )
