"""`modelscope://owner/name`: repositories of ModelScope, played by a server on this machine."""

import hashlib
import json

import pytest

from keras_bert_zh.checkpoints import load_checkpoint
from keras_bert_zh.checkpoints.sources import modelscope_url
from keras_bert_zh.checkpoints.sources.found import Found
from keras_bert_zh.checkpoints.sources.resolve import resolve
from tests.checkpoints.loopback import Answer, modelscope, redirect
from tests.process import DATA

URL = "modelscope://owner/name"
API = "/api/v1/models/owner/name"
LISTING = f"{API}/repo/files"
NOBODY = "http://127.0.0.1:9"  # A service that throws away what it gets; nobody has it.


@pytest.fixture(scope="module")
def files():
    return {path.name: path.read_bytes() for path in (DATA / "tiny_huggingface").iterdir()}


@pytest.fixture
def site(server, files, monkeypatch):
    """A server with the repository, which the environment names."""
    server.routes = modelscope("owner/name", files)
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"{server.url}/")
    monkeypatch.delenv("MODELSCOPE_API_TOKEN", raising=False)
    return server


def test_loads_what_is_needed_and_nothing_else(site, files, own_cache):
    others = ("README.md", "pytorch_model.bin", "tf_model.h5", "onnx/model.onnx", "../config.json")
    pooling = {"modules.json": b"[]", "1_Pooling/config.json": b"{}"}
    site.routes = modelscope("owner/name", files | pooling | dict.fromkeys(others, b"x"))
    found = resolve(URL)
    paths = {str(path.relative_to(found.path)) for path in found.path.rglob("*") if path.is_file()}
    assert paths == {*files, *pooling}
    assert found == Found(found.path, verified=True, cached=found.path)
    assert found.path.parent == own_cache / "modelscope" / "owner--name"


def test_the_second_time_asks_for_the_list_alone(site, monkeypatch):
    checkpoint = load_checkpoint(URL)
    assert checkpoint.format == "Hugging Face folder (model.safetensors)"
    site.requests.clear()
    first = resolve(URL)
    assert site.requests == [f"{LISTING}?Recursive=true"]
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", NOBODY)
    assert resolve(URL) == first


def test_a_new_version_is_downloaded(site, files):
    first = resolve(URL)
    site.routes = modelscope("owner/name", files | {"config.json": files["config.json"] + b"\n"})
    second = resolve(URL)
    assert second.path != first.path
    assert second.path.joinpath("config.json").read_bytes().endswith(b"\n\n")


def test_a_revision(site, files, monkeypatch):
    site.routes = modelscope("owner/name", files, "v1/a b")
    assert resolve(f"{URL}@v1/a b").path.is_dir()
    assert f"{LISTING}?Revision=v1%2Fa+b&Recursive=true" in site.requests
    with pytest.raises(OSError, match="ModelScope lists no files for the revision v2\n"):
        resolve(f"{URL}@v2")
    # What is in the cache of another revision is no answer.
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", NOBODY)
    assert resolve(f"{URL}@v1/a b").path.is_dir()
    with pytest.raises(OSError, match="Connection refused"):
        resolve(URL)


def test_what_is_deleted_is_downloaded_again(site):
    found = resolve(URL)
    for path in found.cached.iterdir():
        path.unlink()
    found.cached.rmdir()
    assert modelscope_url.cached(URL) is None
    assert resolve(URL) == found
    assert (found.path / "model.safetensors").is_file()


def test_a_token_is_sent_to_the_site_and_not_to_where_it_leads(site, files, monkeypatch):
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "secret")
    site.routes[f"{API}/repo"] = lambda sent, query: redirect(f"/files/{query['FilePath']}")
    site.routes |= {f"/files/{name}": Answer(body=body) for name, body in files.items()}
    resolve(URL)
    assert site.tokens == {"Bearer secret", ""}  # Nothing goes to where it is redirected.


def test_no_such_repository(site):
    answer = {"Code": 10010205001, "Message": "record not found", "Success": False}
    site.routes[LISTING] = Answer(404, json.dumps(answer).encode())
    with pytest.raises(OSError, match=f"^{URL} could not be downloaded: HTTP.* 404") as caught:
        load_checkpoint(URL)
    message = str(caught.value)
    assert "record not found" in message
    assert "\n- MODELSCOPE_ENDPOINT=https://... in the environment" in message
    assert "\n- checkpoint=None with config=BertConfig(...)" in message


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b'{"Data": null}', b"[]", b"{}"])
def test_something_else_answers(site, body):
    site.routes[LISTING] = Answer(body=body)
    with pytest.raises(OSError, match=f"^{URL} could not be downloaded: "):
        resolve(URL)


def test_without_a_network_and_without_a_copy(monkeypatch):
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", NOBODY)
    with pytest.raises(OSError, match=rf"^{URL} could not be downloaded: URLError: .* refused"):
        resolve(URL)


def test_the_site_is_that_of_modelscope(monkeypatch):
    monkeypatch.delenv("MODELSCOPE_ENDPOINT", raising=False)
    address = modelscope_url._address("owner/name", "repo/files", None, Recursive="true")
    assert address == f"https://modelscope.cn{LISTING}?Recursive=true"


@pytest.mark.parametrize("told", [True, False], ids=["of its length", "of no length"])
def test_a_download_that_is_cut_off_leaves_nothing(site, files, own_cache, told):
    whole = files["model.safetensors"]
    length = {"Content-Length": str(len(whole)) if told else None}
    serve = site.routes[f"{API}/repo"]

    def cut(sent, query):
        if query["FilePath"] != "model.safetensors":
            return serve(sent, query)
        return Answer(body=whole[:-1], headers=length)

    site.routes[f"{API}/repo"] = cut
    with pytest.raises(OSError, match=f"{URL} could not be downloaded: "):
        resolve(URL)
    assert not [path for path in own_cache.rglob("*") if path.is_file()]
    site.routes[f"{API}/repo"] = serve
    assert load_checkpoint(URL).config.vocab_size == 718


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt"])
def test_a_file_that_is_not_what_the_list_says(site, files, own_cache, name):
    good = files[name]
    bad = good[:-1] + bytes([good[-1] ^ 1])
    serve = site.routes[f"{API}/repo"]
    changed = {**files, name: bad}
    site.routes[f"{API}/repo"] = lambda sent, query: Answer(body=changed[query["FilePath"]])
    digest = hashlib.sha256(bad).hexdigest()
    expected = f"{name} of {URL} was damaged in the download from .* sha256 {digest}"
    with pytest.raises(ValueError, match=f"{expected}.*{hashlib.sha256(good).hexdigest()}"):
        resolve(URL)
    assert not [path for path in own_cache.rglob("*") if path.is_file()]
    site.routes[f"{API}/repo"] = serve
    assert resolve(URL).verified


def test_a_list_without_digests_verifies_nothing(site):
    answer = json.loads(site.routes[LISTING](b"", {"Recursive": "true"}).body)
    for entry in answer["Data"]["Files"]:
        entry["Sha256"] = ""
    site.routes[LISTING] = Answer(body=json.dumps(answer).encode())
    assert not resolve(URL).verified
    assert not modelscope_url.cached(URL).verified


def test_a_repository_without_weights(site):
    site.routes = modelscope("owner/name", {"README.md": b"x", "config.json": b"{}"})
    with pytest.raises(
        ValueError,
        match=rf"^{URL} has no weights that can be read. It contains README.md, config.jso",
    ):
        resolve(URL)


@pytest.mark.parametrize("rest", ["", "/a", "/a/b/c", "/a/b@", "/a/b/", "/a/b c"])
def test_another_form(rest):
    with pytest.raises(ValueError, match=r"must look like modelscope://google-bert/bert-base-chin"):
        resolve(f"modelscope:/{rest or '/'}")
