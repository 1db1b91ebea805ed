"""What is said of a checkpoint that can't be downloaded, and what works instead of it."""

import pathlib

from keras_bert_zh.checkpoints.sources import published

HUGGINGFACE = "hf://google-bert/bert-base-chinese"


class UnreachableError(OSError):
    """A source that could not be downloaded; the message says why, not what to do instead."""

    @classmethod
    def because(cls, error: Exception) -> "UnreachableError":
        return cls(f"{type(error).__name__}: {error}")


def message(source: str, reason: object, instead: list[str]) -> str:
    """Returns the message for a user; `instead` are lines about what works."""
    lines = "".join(f"\n- {line}" for line in instead)
    return f"{source} could not be downloaded: {reason}\nWhat works instead:{lines}"


def instead_of_hub(handle: str, cache: pathlib.Path) -> list[str]:
    """Returns what works without this module's server."""
    refusals = (
        "the same line again later: tfhub.dev leads to Kaggle now, which refuses some downloads "
        "for a while (https://github.com/tensorflow/hub/issues/932);"
    )
    return [
        *([refusals] if handle.startswith("https://tfhub.dev/") else []),
        "the path of a module that was downloaded and unpacked elsewhere, in place of the URL;",
        f"the same module unpacked into {cache}, where tensorflow_hub looks first (TFHUB_CACHE_DIR "
        "chooses the parent folder);",
    ]


def instead_of_default() -> list[str]:
    """Returns where the weights of the default module are published, too."""
    return [
        "the same weights from elsewhere, in BertEncoder and BertPreprocess alike:\n"
        f'    BertEncoder("{HUGGINGFACE}")\n'
        f'    BertEncoder("{published.URL}")\n'
        "  The first needs pip install 'keras-bert-zh[huggingface]'; HF_ENDPOINT=https://... "
        "chooses a mirror of the Hugging Face Hub. The configuration of this copy says the exact "
        "GELU (erf) where the module has the form with tanh: outputs differ a little;",
        'a local copy of any of these, folder or zip archive:\n    BertEncoder("PATH")',
    ]


def instead_of_huggingface() -> list[str]:
    """Returns what works without the Hugging Face Hub."""
    return [
        "HF_ENDPOINT=https://... in the environment, for a mirror; HF_TOKEN, for a repository that "
        "needs permission;",
        "the path of a folder with the repository's config.json, model.safetensors and vocab.txt, "
        "in place of the URL;",
        "a cache folder that was filled elsewhere: HF_HOME chooses it;",
    ]


def instead_of_kaggle() -> list[str]:
    """Returns what works without Kaggle."""
    return [
        "the path of a model that was downloaded and unpacked elsewhere, in place of the URL;",
        "a cache folder that was filled elsewhere: KAGGLEHUB_CACHE chooses it;",
        "KAGGLE_API_TOKEN in the environment, for a model that needs permission;",
    ]


def instead_of_zip() -> list[str]:
    """Returns what works without the server of a zip archive."""
    return ["the path of a copy of the archive, or of what is in it, in place of the URL;"]
