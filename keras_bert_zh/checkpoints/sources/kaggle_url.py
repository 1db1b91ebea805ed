"""Models of Kaggle, as `kaggle://owner/model/framework/variation/version`."""

import pathlib
import re

from keras_bert_zh.checkpoints.sources.unreachable import UnreachableError


def fetch(url: str) -> pathlib.Path:
    """Returns the folder of the model in the cache of kagglehub, downloading it first.

    Without a version, the newest one is asked for, which needs the network each time. That library
    compares MD5 digests where Kaggle sends them.

    Raises:
        ImportError: if kagglehub is not installed.
        UnreachableError: if it can't be downloaded.
        ValueError: if the URL has another form.
    """
    match = re.fullmatch(r"kaggle://((?:[\w.-]+/){3}[\w.-]+(?:/\d+)?)", url)
    if not match:
        raise ValueError(
            f"{url} must look like kaggle://OWNER/MODEL/FRAMEWORK/VARIATION/VERSION, for instance "
            "kaggle://tensorflow/bert/tensorFlow2/zh-l-12-h-768-a-12/4."
        )
    try:
        from kagglehub import model_download
    except ImportError as error:
        raise ImportError(
            f"{url} is downloaded by kagglehub: pip install 'keras-bert-zh[kaggle]'."
        ) from error
    try:
        return pathlib.Path(model_download(match[1]))
    except Exception as error:  # From those of requests to its own: one advice.
        raise UnreachableError.because(error) from error
