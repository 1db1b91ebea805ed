"""Loads a checkpoint of any format."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.readers import formats
from keras_bert_zh.checkpoints.sources import digests
from keras_bert_zh.checkpoints.sources.default import DEFAULT
from keras_bert_zh.checkpoints.sources.resolve import resolve
from keras_bert_zh.config import BertConfig
from keras_bert_zh.vocabulary import check_vocabulary, chinese_vocabulary, read_vocabulary


def load_checkpoint(
    source: str | os.PathLike | Checkpoint, *, sha256: Mapping[str, str] | None = None
) -> Checkpoint:
    """Opens a pretrained BERT: configuration, vocabulary and weights.

    The format is detected from the files, never from the name. Every tensor is read and checked
    once before the function returns, but none is kept: `Checkpoint.weights` reads a tensor each
    time you access it, so the model is not in memory twice.

    Args:
        source: one of these:

            - `"default"`: Google's Chinese BERT. The sources are tried in this order: its TF1 Hub
              module, Google's archive, the Hugging Face Hub, ModelScope. A copy in a cache is used
              before the network. If the source is not the module, a warning names the source. All
              of them give the outputs of the module: its GELU (tanh) and its lower case are used,
              even if the files of a copy say something else;
            - `"small"`, the checkpoint that comes with the package;
            - the path of a folder, or the prefix of a TensorFlow checkpoint;
            - the path of a zip archive, which is unpacked once into this package's cache,
              `$KERAS_BERT_ZH_CACHE` or `~/.cache/keras_bert_zh`;
            - the `https://` or `http://` URL of a zip archive, which ends in `.zip` and is
              downloaded once into the same cache; Google's own must be as Google published it;
            - any other such URL: a TensorFlow Hub module, downloaded once into `$TFHUB_CACHE_DIR`;
            - `hf://ORGANISATION/NAME` or `hf://ORGANISATION/NAME@REVISION`: a repository of the
              Hugging Face Hub, in the cache of huggingface_hub. If there are several kinds of
              weights, the safest kind is downloaded. HF_ENDPOINT chooses a mirror;
            - `kaggle://OWNER/MODEL/FRAMEWORK/VARIATION/VERSION`: a model of Kaggle, in the cache
              of kagglehub;
            - `modelscope://OWNER/NAME` or `modelscope://OWNER/NAME@REVISION`: a repository of
              ModelScope, in this package's cache. MODELSCOPE_ENDPOINT chooses another site;
            - a `Checkpoint`, which is returned as it is.
        sha256: digests in hexadecimal by file name, such as `{"model.safetensors": ...}`; names are
            relative to the folder of the checkpoint. These files are checked before anything is
            read from them.

    Returns:
        A `Checkpoint`.

    Raises:
        OSError: if the path does not exist, or the URL can't be downloaded; the message says
            what you can use instead.
        ValueError: if the folder has no format that can be read, or if a file is damaged,
            incomplete, or does not match `sha256`; the message names the file and lists all
            problems. Also if the scheme of the URL is unknown, an archive is not safe to
            unpack, or `sha256` is given with a `Checkpoint`.
        TypeError: if `source` is not a path, a URL or a `Checkpoint`.
        ImportError: if the package for this kind of download is not installed.

    Example:

    >>> from keras_bert_zh import load_checkpoint
    >>> path = "tests/fixtures/tiny_tf1_hub"  # in this project's repository
    >>> checkpoint = load_checkpoint(path)
    >>> checkpoint.config.num_hidden_layers, checkpoint.lowercase, len(checkpoint.vocabulary)
    (2, True, 718)
    >>> checkpoint.weights["blocks.0.feed_forward.inner.kernel"].shape
    (32, 128)
    >>> checkpoint.missing
    ('next_sentence',)

    Reference:
        TF1 Hub format, https://www.tensorflow.org/hub/tf1_hub_module; variable names are those
        of google-research/bert `modeling.py`. Hugging Face's are those of `BertForPreTraining`,
        `ErnieForPreTraining` and `ElectraModel`.
    """
    return _open(source, sha256, verify=True)


def open_checkpoint(source: str | os.PathLike | Checkpoint) -> Checkpoint:
    """Opens a checkpoint without reading all tensors, for callers that read all of them or none.

    All tensors are read if the download could not be checked against a digest: nothing from the
    network is used unchecked, not even its vocabulary.
    """
    return _open(source, None, verify=False)


def open_architecture(
    source: str | os.PathLike | Checkpoint | None, config: BertConfig | None
) -> tuple[BertConfig, Checkpoint | None]:
    """Returns the architecture of a model: from a checkpoint, or for fresh weights.

    Args:
        source: as for `open_checkpoint`; `None` for fresh weights.
        config: BertConfig for fresh weights; if given, the default checkpoint is not used.

    Raises:
        ValueError: if both are given, or neither.
    """
    if config is None:
        if source is None:
            raise ValueError("BertEncoder(checkpoint=None) needs config=BertConfig(...).")
        checkpoint = open_checkpoint(source)
        return checkpoint.config, checkpoint
    if source not in (None, DEFAULT):
        raise ValueError(
            "A checkpoint has its own configuration: pass config only with checkpoint=None, for "
            "fresh weights. To change the dropout of a checkpoint, pass dropout."
        )
    if not isinstance(config, BertConfig):
        raise ValueError(f"config must be a BertConfig, got {config!r}.")
    return config, None


def open_vocabulary(
    checkpoint: str | os.PathLike | Checkpoint | None,
    vocabulary: Sequence[str] | str | os.PathLike | None,
) -> tuple[tuple[str, ...], bool | None]:
    """Returns the tokens, and whether they are lower case if that is known."""
    if vocabulary is not None:
        if checkpoint not in (None, DEFAULT):
            raise ValueError("Pass either checkpoint or vocabulary to BertPreprocess, got both.")
        if isinstance(vocabulary, (str, os.PathLike)):
            return read_vocabulary(vocabulary), None
        return check_vocabulary(vocabulary), None
    if checkpoint is None:
        return chinese_vocabulary(), True
    loaded = open_checkpoint(checkpoint)
    if loaded.vocabulary is None:
        named = "The checkpoint" if loaded is checkpoint else checkpoint
        raise ValueError(
            f"{named} has no vocabulary: neither vocab.txt nor tokenizer.json was found. Add its "
            'vocab.txt, or pass BertPreprocess(vocabulary="PATH/vocab.txt").'
        )
    return check_vocabulary(loaded.vocabulary), loaded.lowercase


def _open(
    source: str | os.PathLike | Checkpoint, sha256: Mapping[str, str] | None, *, verify: bool
) -> Checkpoint:
    expected = None if sha256 is None else digests.checked(sha256)
    if isinstance(source, Checkpoint):
        if expected:
            raise ValueError(
                "sha256 checks files, but this Checkpoint is already loaded: leave out sha256, or "
                "pass the path or URL of the checkpoint."
            )
        return _verified(source) if verify else source
    found = resolve(source)
    verify = verify or bool(found.cached and not found.verified)
    try:
        if expected:
            _compare(found.path, expected)
        checkpoint = formats.read(found.path)
        if source == DEFAULT:
            checkpoint = _as_module(checkpoint)
        return _verified(checkpoint) if verify else checkpoint
    except ValueError as error:
        if found.cached:
            error.add_note(f"Delete {found.cached} and load {source} again.")
        raise


def _as_module(checkpoint: Checkpoint) -> Checkpoint:
    """Returns a copy of Google's Chinese BERT with the GELU and lower case of its Hub module."""
    config = dataclasses.replace(checkpoint.config, hidden_act="gelu_tanh")
    return dataclasses.replace(checkpoint, config=config, lowercase=True)


def _verified(checkpoint: Checkpoint) -> Checkpoint:
    checkpoint.weights.verify()
    return checkpoint


def _compare(path: pathlib.Path, expected: Mapping[str, str]) -> None:
    if not path.is_dir() and not path.with_name(f"{path.name}.index").is_file():
        return  # What is wrong with the path is said by who reads it.
    folder = path if path.is_dir() else path.parent
    lines = digests.mismatches(folder, expected)
    if lines:
        raise ValueError(f"The files in {folder} do not match sha256: {'; '.join(lines)}.")
