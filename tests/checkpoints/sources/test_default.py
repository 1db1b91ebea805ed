"""The default checkpoint: from the first place that has it, played by a server on this machine."""

import functools
import hashlib
import json
import pathlib
import re
import shutil
import sys
import warnings

import huggingface_hub
import numpy as np
import pytest

from keras_bert_zh import BertEncoder, BertPreprocess, text
from keras_bert_zh.checkpoints import DEFAULT, load_checkpoint
from keras_bert_zh.checkpoints.sources import (
    default,
    huggingface_url,
    modelscope_url,
    published,
    tfhub_url,
    zip_url,
)
from keras_bert_zh.checkpoints.sources.resolve import resolve
from tests.checkpoints.loopback import Answer, huggingface, modelscope, tar_gz
from tests.process import DATA

COPY = "google-bert/bert-base-chinese"
HUB, ZIP, FACE, SCOPE = range(4)
OTHER_KINDS = ["flax_model.msgpack", "pytorch_model.bin"]
TEXTS = ["Été 今天", "ABC"]


@pytest.fixture(scope="module")
def copy():
    """The files of a copy, which says another GELU and other tokens, as the real one does."""
    files = {path.name: path.read_bytes() for path in (DATA / "tiny_huggingface").iterdir()}
    config = json.loads(files["config.json"]) | {"hidden_act": "gelu"}
    tokens = {"do_lower_case": False, "model_max_length": 512}
    new = {"config.json": config, "tokenizer_config.json": tokens}
    return files | {name: json.dumps(content).encode() for name, content in new.items()}


@pytest.fixture
def places(server, tiny, copy, monkeypatch, tmp_path):
    """The four places and their routes, in their order; `server` has none of them yet."""
    original = DATA / "tiny_original"
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in original.iterdir()
    }
    monkeypatch.setattr(published, "SHA256", digests)
    monkeypatch.setattr(published, "URL", f"{server.url}/bert.zip")
    monkeypatch.setattr(default, "ARCHITECTURE", tiny.config)
    urls = (f"{server.url}/bert/1", published.URL, huggingface_url.BASE, modelscope_url.BASE)
    modules = (tfhub_url, zip_url, huggingface_url, modelscope_url)
    monkeypatch.setattr(default, "PLACES", tuple(zip(urls, modules, strict=True)))
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", server.url)
    # That library reads HF_ENDPOINT and HF_HOME when it is imported.
    elsewhere = {"endpoint": server.url, "cache_dir": tmp_path / "hf"}
    download = functools.partial(huggingface_hub.snapshot_download, **elsewhere)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    archive = shutil.make_archive(tmp_path / "bert", "zip", DATA, "tiny_original")
    routes = (
        {"/bert/1": Answer(body=tar_gz(folder=DATA / "tiny_tf1_hub"))},
        {"/bert.zip": Answer(body=pathlib.Path(archive).read_bytes())},
        huggingface(COPY, copy),
        modelscope(COPY, copy),
    )
    return list(zip(urls, routes, strict=True))


def open_places(server, places, numbers):
    server.routes = {}
    for number in numbers:
        server.routes |= places[number][1]


def asked(server, place):
    """Returns how many requests this place got."""
    marks = ("/bert/1", "/bert.zip", f"/api/models/{COPY}", "/api/v1/models/")
    return sum(path.startswith(marks[place]) for path in server.requests)


@pytest.mark.parametrize("place", [HUB, ZIP, FACE, SCOPE])
def test_each_place_in_turn(server, places, inputs, golden, place):
    """All give the outputs and the tokens of the module, and the last one that answers is named."""
    open_places(server, places, range(place, 4))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        preprocess = BertPreprocess(max_length=8)
        before = list(server.requests)
        encoder = BertEncoder()
        assert load_checkpoint(DEFAULT).config == encoder.config
    assert server.requests == before  # None is asked twice.
    assert [bool(asked(server, other)) for other in range(4)] == [o <= place for o in range(4)]
    said = [str(warning.message) for warning in caught if "default" in str(warning.message)]
    others = " or ".join(url for url, _ in places[:place])
    line = (
        f"The default checkpoint is {places[place][0]}, because it could not be downloaded from "
        f"{others}."
    )
    assert said == ([line] if place else [])

    assert encoder.config.hidden_act == "gelu_tanh"
    pooled = encoder(inputs)
    np.testing.assert_allclose(pooled, golden["pooled_output"], atol=2e-6, rtol=0)
    assert preprocess.lowercase
    ids = BertPreprocess(DATA / "tiny_tf1_hub", max_length=8)(TEXTS)["input_ids"]
    np.testing.assert_array_equal(preprocess(TEXTS)["input_ids"], ids)


@pytest.mark.parametrize("place", [HUB, ZIP, FACE, SCOPE])
def test_what_is_in_a_cache_is_taken_before_the_network(server, places, place):
    open_places(server, places, [place])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = resolve(DEFAULT)
    default._taken.clear()
    server.requests.clear()
    open_places(server, places, range(4))
    line = f"The default checkpoint is {places[place][0]}, which is already downloaded."
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert resolve(DEFAULT) == first
    assert [str(warning.message) for warning in caught] == ([line] if place else [])
    assert server.requests == []


def test_no_place_answers(server, places, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        OSError, match=r"^default could not be downloaded: no server that"
    ) as caught:
        BertEncoder()
    message = str(caught.value)
    reasons = ("HTTPError", "HTTPError", "Downloading hf://.*pip install", "HTTPError")
    for number, reason in enumerate(reasons):
        assert re.search(rf"^- {re.escape(places[number][0])}: {reason}", message, re.MULTILINE)
    for line in (
        "- HF_ENDPOINT=https://... or MODELSCOPE_ENDPOINT=https://... in the environment",
        "- the path of a copy of any of these",
        '- checkpoint="small", which comes with the package;',
    ):
        assert line in message
    assert str(tfhub_url.cache_folder(tfhub_url.MODULE)) in message
    # They are asked again when the user asks again.
    open_places(server, places, [HUB])
    assert resolve(DEFAULT).path.is_dir()


def git_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def test_the_real_copies_are_what_is_expected(tmp_path):
    """The files of google-bert/bert-base-chinese, known by the ids that git gives them.

    Its list of files shows these ids, and so does the cache of huggingface_hub.
    """
    files = {
        "config.json": (DATA / "bert_base_chinese_config.json").read_bytes(),
        "tokenizer_config.json": b'{"do_lower_case": false, "model_max_length": 512}',
        "vocab.txt": pathlib.Path(text.__file__).with_name("chinese_vocab.txt").read_bytes(),
    }
    assert {name: git_id(content)[:12] for name, content in files.items()} == {
        "config.json": "a521dc2845bd",
        "tokenizer_config.json": "2ba5de767547",
        "vocab.txt": "ca4f97810300",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for url in default.COPIES:
        default._check(url, tmp_path)


WRONG = {
    "vocab.txt": (b"[unused1]", b"[other1]", "vocab.txt has sha256"),
    "config.json": (b"1e-12", b"1e-05", "config.json describes BertConfig.*eps=1e-05"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("place", [FACE, SCOPE])
def test_a_place_with_wrong_files_is_not_passed_over(server, places, copy, place, name):
    old, new, problem = WRONG[name]
    changed = copy | {name: copy[name].replace(old, new)}
    assert changed != copy
    server.routes = {FACE: huggingface, SCOPE: modelscope}[place](COPY, changed)
    url = places[place][0]
    with pytest.raises(
        ValueError, match=f"^The files of {url} in .* are not Google's .*: {problem}"
    ):
        resolve(DEFAULT)
    # Nor once it is in the cache.
    open_places(server, places, range(4))
    with pytest.raises(ValueError, match=f"^The files of {url} in .* Delete this folder and try a"):
        resolve(DEFAULT)


def test_a_damaged_archive_is_not_passed_over(server, places, monkeypatch):
    open_places(server, places, [ZIP, FACE, SCOPE])
    monkeypatch.setitem(published.SHA256, "vocab.txt", "0" * 64)
    with pytest.raises(
        ValueError, match=r"is not the .* that Google published: vocab\.txt has sha"
    ):
        resolve(DEFAULT)
    assert not asked(server, FACE)


def test_what_was_taken_and_then_deleted_is_looked_for_again(server, places):
    open_places(server, places, [HUB])
    found = resolve(DEFAULT)
    shutil.rmtree(found.cached)
    assert resolve(DEFAULT) == found
    assert found.path.is_dir()


@pytest.mark.parametrize("place", [FACE, SCOPE])
def test_a_copy_may_have_weights_of_another_kind(server, places, copy, place):
    kinds = {name: (DATA / "weight_files" / name).read_bytes() for name in OTHER_KINDS}
    plain = {name: body for name, body in copy.items() if name != "model.safetensors"}
    server.routes = {FACE: huggingface, SCOPE: modelscope}[place](COPY, plain | kinds)
    with pytest.warns(UserWarning, match="could not be downloaded from"):
        first = resolve(DEFAULT)
    assert [name for name in OTHER_KINDS if (first.path / name).exists()] == OTHER_KINDS[:1]
    assert first.verified
    default._taken.clear()
    server.requests.clear()
    with pytest.warns(UserWarning, match="is already downloaded"):
        assert resolve(DEFAULT) == first
    assert server.requests == []


def test_a_cache_with_the_tokenizer_alone_is_no_copy(server, places, copy):
    small = {name: body for name, body in copy.items() if not name.endswith(".safetensors")}
    server.routes = huggingface(COPY, small)
    huggingface_hub.snapshot_download(COPY)
    assert huggingface_url.cached(huggingface_url.BASE) is None
    open_places(server, places, [HUB])
    assert resolve(DEFAULT).path.is_dir()


def test_a_folder_of_that_name_is_another(tmp_path, monkeypatch, copy_to):
    copy_to(tmp_path / "default")
    monkeypatch.chdir(tmp_path)
    assert load_checkpoint("./default").config.vocab_size == 718
    assert load_checkpoint(pathlib.Path("default")).config.vocab_size == 718
