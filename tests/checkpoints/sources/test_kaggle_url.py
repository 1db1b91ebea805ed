"""`kaggle://...`: models of Kaggle, played by a server on this machine."""

import shutil
import sys

import pytest

from keras_bert_zh.checkpoints import load_checkpoint
from keras_bert_zh.checkpoints.sources.found import Found
from keras_bert_zh.checkpoints.sources.resolve import resolve
from tests.checkpoints.bare import run_bare
from tests.checkpoints.loopback import kaggle
from tests.process import DATA

URL = "kaggle://tensorflow/bert/tensorFlow2/zh-l-12-h-768-a-12"

# kagglehub reads some settings when it is imported, so each load has a process of its own.
RESOLVE = """
import sys
from keras_bert_zh.checkpoints.sources.resolve import resolve
try:
    print(resolve(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error, sep="\\n")
"""


@pytest.fixture
def find(server, tmp_path):
    """A function that resolves in a process of its own and returns what it prints at last.

    One of the servers that kagglehub knows is http://localhost; the test's own stands before it
    as a proxy.
    """

    def find(url, **environment):
        settings = {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "KAGGLEHUB_CACHE": str(tmp_path / "kagglehub"),
            "HOME": str(tmp_path),
            "http_proxy": server.url,
            "no_proxy": "",
        }
        return run_bare(RESOLVE, url, **{**settings, **environment})

    return find


@pytest.fixture
def files():
    return files_of(DATA / "tiny_tf1_hub")


def files_of(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def downloaded(tmp_path):
    """The folder in which kagglehub keeps version 4."""
    folder = tmp_path / "kagglehub" / "models" / "tensorflow" / "bert" / "tensorFlow2"
    return folder / "zh-l-12-h-768-a-12" / "4"


def found(folder):
    return f"{Found(folder, verified=False, cached=folder)}\n"


def test_downloads_a_version_once(server, find, files, downloaded):
    server.routes = kaggle(files)
    assert find(f"{URL}/4").endswith(found(downloaded))
    assert load_checkpoint(downloaded).config.vocab_size == 718
    assert server.requests
    server.requests.clear()
    assert find(f"{URL}/4").endswith(found(downloaded))
    assert server.requests == []


def test_without_a_version_it_is_the_newest(server, find, files, downloaded):
    server.routes = kaggle(files, version=4)
    assert find(URL).endswith(found(downloaded))
    assert any("GetModelInstance" in path for path in server.requests)


@pytest.mark.filterwarnings("ignore:.*BertMaskedLM of Keras Hub computes")
def test_a_preset_of_keras_hub(server, find, tmp_path):
    server.routes = kaggle(files_of(DATA / "keras_hub_preset"))
    folder = tmp_path / "kagglehub" / "models" / "keras" / "bert" / "keras" / "bert_base_zh" / "4"
    assert find("kaggle://keras/bert/keras/bert_base_zh/4").endswith(found(folder))
    assert load_checkpoint(folder).format == "Keras Hub preset"


def test_what_is_said_to_be_deleted_is_downloaded_again(server, find, files, downloaded):
    server.routes = kaggle(files)
    find(f"{URL}/4")
    (downloaded / "saved_model.pb").unlink()
    assert find(f"{URL}/4").endswith(found(downloaded))
    assert not (downloaded / "saved_model.pb").exists()
    shutil.rmtree(downloaded)
    assert find(f"{URL}/4").endswith(found(downloaded))
    assert (downloaded / "saved_model.pb").exists()


@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:9"], ids=["not there", "no network"])
def test_a_failed_download_says_what_works(find, proxy):
    printed = find(f"{URL}/4", **({"http_proxy": proxy} if proxy else {}))
    assert f"OSError\n{URL}/4 could not be downloaded: " in printed
    assert ("ProxyError" if proxy else "KaggleApiHTTPError: 404 Client Error.") in printed
    assert "\n- the path of a model that was downloaded and unpacked elsewhere" in printed
    assert "\n- a cache folder that was filled elsewhere: KAGGLEHUB_CACHE chooses it" in printed
    assert "\n- checkpoint=None with config=BertConfig(...)" in printed


@pytest.mark.parametrize("rest", ["", "/4/5", "/four", "/", "/../4"])
def test_another_form(rest):
    with pytest.raises(ValueError, match=r"must look like kaggle://OWNER/MODEL/FRAMEWORK/VARIAT"):
        resolve((URL if rest else "kaggle://tensorflow/bert") + rest)


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-bert-zh\[kaggle\]'"):
        load_checkpoint(f"{URL}/4")
