"""Models of Kaggle, as `kaggle://owner/model/framework/variation/version`."""

import pathlib
import re

from keras_bert_zh.checkpoints.sources.found import Found, UnreachableError
from keras_bert_zh.extras import imported

FORM = "kaggle://OWNER/MODEL/FRAMEWORK/VARIATION/VERSION"


def fetch(url: str) -> Found:
    """Returns the folder of the model in the cache of kagglehub, downloading it first.

    Without a version, the newest one is requested, which needs the network each time. kagglehub
    compares MD5 digests if Kaggle sends them.

    Raises:
        ImportError: if kagglehub is not installed.
        UnreachableError: if it can't be downloaded.
        ValueError: if the URL has another form.
    """
    match = re.fullmatch(r"kaggle://((?:[\w.-]+/){3}[\w.-]+(?:/\d+)?)", url)
    if not match:
        raise ValueError(
            f"{url} must look like {FORM}, for example "
            "kaggle://tensorflow/bert/tensorFlow2/zh-l-12-h-768-a-12/4."
        )
    kagglehub = imported("kagglehub", "kaggle", f"Downloading {url}")
    try:
        folder = pathlib.Path(kagglehub.model_download(match[1]))
    except Exception as error:  # From those of requests to its own: one advice.
        raise UnreachableError.because(error) from error
    # Its MD5 digests are not always there, and what lies in its cache may be half a download.
    return Found(folder, verified=False, cached=folder)


def instead(url: str) -> list[str]:
    """Returns what works without Kaggle."""
    return [
        "the path of a model that was downloaded and unpacked elsewhere, in place of the URL;",
        "a cache folder that was filled elsewhere: KAGGLEHUB_CACHE chooses it;",
        "KAGGLE_API_TOKEN in the environment, for a model that needs permission;",
    ]
