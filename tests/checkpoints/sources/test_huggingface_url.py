"""`hf://org/name`: repositories of the Hugging Face Hub, played by a server on this machine."""

import hashlib
import json
import sys
import types

import pytest
import safetensors.numpy

from keras_bert_zh.checkpoints import load_checkpoint
from keras_bert_zh.checkpoints.sources import huggingface_url
from keras_bert_zh.checkpoints.sources.found import Found
from keras_bert_zh.checkpoints.sources.resolve import resolve
from tests.checkpoints.bare import run_bare
from tests.checkpoints.loopback import Answer, huggingface
from tests.process import DATA

FOLDER = DATA / "tiny_huggingface"
COMMIT = "1" * 40

# huggingface_hub reads its settings when it is imported, so each load has a process of its own.
LOAD = """
import sys
from keras_bert_zh.checkpoints import load_checkpoint
try:
    checkpoint = load_checkpoint(sys.argv[1])
    print(checkpoint.format, checkpoint.config.hidden_size, checkpoint.missing)
except Exception as error:
    print(type(error).__name__, error, *getattr(error, "__notes__", ()), sep="\\n")
"""
LOADED = "Hugging Face folder (model.safetensors) 32 ('lowercase',)\n"


@pytest.fixture(scope="module")
def files():
    return {path.name: path.read_bytes() for path in FOLDER.iterdir()}


@pytest.fixture
def load(server, tmp_path):
    """A function that loads in a process of its own and returns what it prints."""

    def load(url, **environment):
        settings = {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": ""}
        return run_bare(LOAD, url, **{**settings, "no_proxy": "*", **environment})

    return load


@pytest.fixture
def downloaded(tmp_path):
    """The folder in which huggingface_hub keeps org/name."""
    return tmp_path / "hf" / "hub" / "models--org--name"


POOLING = ("1_Pooling/config.json", "2_Normalize/config.json", "3_Dense/config.json")


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_loads_what_is_needed_and_nothing_else(server, load, files, downloaded):
    others = ("pytorch_model.bin", "tf_model.h5", "README.md", "onnx/model.onnx", "model.py")
    others += ("onnx/config.json", "3_Dense/model.bin")
    pooling = dict.fromkeys(("modules.json", *POOLING), b"[]")
    server.routes = huggingface("org/name", files | pooling | dict.fromkeys(others, b"x"))
    assert load("hf://org/name") == LOADED
    snapshot = downloaded / "snapshots" / COMMIT
    held = {path.relative_to(snapshot).as_posix() for path in snapshot.glob("[0-9]*/*")}
    assert held == {*POOLING}
    assert {path.name for path in snapshot.iterdir() if path.is_file()} == {*files, "modules.json"}


def test_the_second_time_needs_no_network(server, load, files):
    server.routes = huggingface("org/name", files)
    assert load("hf://org/name") == LOADED
    asked = len(server.requests)
    assert load("hf://org/name", HF_HUB_OFFLINE="1") == LOADED
    assert len(server.requests) == asked
    # Port 9 is that of a service which throws away what it gets; nobody has it.
    assert load("hf://org/name", HF_ENDPOINT="http://127.0.0.1:9") == LOADED


def test_a_revision(server, load, files):
    server.routes = huggingface("org/name", files, "2" * 40, "refs/pr/1")
    server.routes |= huggingface("org/name", {"README.md": b"x"}, COMMIT, "main")
    assert load("hf://org/name@refs/pr/1") == LOADED
    assert load(f"hf://org/name@{'2' * 40}") == LOADED
    assert "hf://org/name has none of the weight files model.safetensors, tf_" in load(
        "hf://org/name"
    )


def test_a_token_is_sent(server, load, files):
    server.routes = huggingface("org/name", files)
    assert load("hf://org/name", HF_TOKEN="hf_secret") == LOADED
    assert "Bearer hf_secret" in server.tokens


def test_a_missing_vocabulary_is_fine(server, load, files):
    server.routes = huggingface("org/name", {n: b for n, b in files.items() if n != "vocab.txt"})
    assert load("hf://org/name") == LOADED.replace("('lowercase',", "('vocabulary', 'lowercase'")


def test_a_flipped_byte_of_a_download_is_found(server, load, files, downloaded):
    server.routes = huggingface("org/name", files)
    weights = bytearray(files["model.safetensors"])
    weights[-1] ^= 1
    digest = hashlib.sha256(files["model.safetensors"]).hexdigest()
    route = f"/org/name/resolve/{COMMIT}/model.safetensors"
    good = server.routes[route]
    server.routes[route] = good._replace(body=bytes(weights))

    blob = downloaded / "blobs" / digest
    expected = (
        f"{downloaded}/snapshots/{COMMIT}/model.safetensors is damaged: its sha256 is "
        f"{hashlib.sha256(weights).hexdigest()}, expected {digest}. Delete {blob} and load "
        "hf://org/name again."
    )
    assert load("hf://org/name") == f"ValueError\n{expected}\n"
    assert load("hf://org/name", HF_HUB_OFFLINE="1") == f"ValueError\n{expected}\n"

    server.routes[route] = good
    blob.unlink()
    assert load("hf://org/name") == LOADED


def test_what_was_checked_is_checked_again_when_it_changes(server, load, files, downloaded):
    server.routes = huggingface("org/name", files)
    assert load("hf://org/name") == LOADED
    (blob,) = (file for file in (downloaded / "blobs").iterdir() if len(file.name) == 64)
    flip(blob)
    assert f"Delete {blob} and load hf://org/name again." in load("hf://org/name")


def test_shards(server, load, files):
    tensors = safetensors.numpy.load(files["model.safetensors"])
    shards, place = {}, {}
    for number in (1, 2):
        names = sorted(tensors)[number - 1 :: 2]
        file = f"model-0000{number}-of-00002.safetensors"
        shards[file] = safetensors.numpy.save({name: tensors[name] for name in names})
        place |= dict.fromkeys(names, file)
    shards["model.safetensors.index.json"] = json.dumps({"weight_map": place}).encode()
    others = {name: body for name, body in files.items() if name != "model.safetensors"}
    server.routes = huggingface("org/name", others | shards)
    assert load("hf://org/name") == LOADED.replace("safetensors", "safetensors.index.json")


@pytest.mark.parametrize("first", [0, 2])
def test_the_safest_weights_alone_are_downloaded(server, load, files, downloaded, first):
    kinds = ("tf_model.h5", "flax_model.msgpack", "pytorch_model.bin")[first:]
    plain = {name: body for name, body in files.items() if name != "model.safetensors"}
    weights = {name: (DATA / "weight_files" / name).read_bytes() for name in kinds}
    server.routes = huggingface("org/name", plain | weights)
    loaded = f"Hugging Face folder ({kinds[0]}) 32 ('lowercase',)\n"
    assert load("hf://org/name") == loaded
    snapshot = downloaded / "snapshots" / COMMIT
    assert {path.name for path in snapshot.iterdir()} == {*plain, kinds[0]}
    assert load("hf://org/name", HF_HUB_OFFLINE="1") == loaded


def test_no_weights_that_are_read(server, load, files):
    others = {"config.json": files["config.json"], "flax.msgpack": b"x", "pytorch_model.pt": b"x"}
    server.routes = huggingface("org/name", others)
    assert load("hf://org/name") == (
        "ValueError\nhf://org/name has none of the weight files model.safetensors, tf_model.h5, "
        "flax_model.msgpack, pytorch_model.bin. It contains config.json, "
        "flax.msgpack, pytorch_model.pt.\n"
    )


def test_without_a_network_and_without_a_copy(load):
    printed = load("hf://org/name", HF_ENDPOINT="http://127.0.0.1:9")
    assert printed.startswith("OSError\nhf://org/name could not be downloaded: LocalEntryNotFound")
    for line in (
        "- HF_ENDPOINT=https://... in the environment, for a mirror; HF_TOKEN, for a repository",
        "- the path of a folder with the repository's config.json, weights and vocab.txt",
        "- checkpoint=None with config=BertConfig(...)",
    ):
        assert line in printed


def test_no_such_repository(server, load):
    missing = Answer(401, headers={"X-Error-Code": "RepoNotFound"})
    server.routes["/api/models/org/name/revision/main"] = missing
    start = "OSError\nhf://org/name could not be downloaded: RepositoryNotFoundError: 401 Client"
    assert load("hf://org/name").startswith(start)


def test_a_copy_without_weights_and_without_a_network(server, load, files, downloaded):
    server.routes = huggingface("org/name", files)
    assert load("hf://org/name") == LOADED
    (downloaded / "snapshots" / COMMIT / "model.safetensors").unlink()
    for listing in downloaded.glob("trees/*"):
        listing.unlink()
    printed = load("hf://org/name", HF_HUB_OFFLINE="1")
    assert (
        f"the local copy in {downloaded}/snapshots/{COMMIT} has no weights yet: Offline" in printed
    )


def test_a_file_that_does_not_fit_says_what_to_delete(server, load, files, downloaded):
    server.routes = huggingface("org/name", files | {"vocab.txt": b"[PAD]\n"})
    printed = load("hf://org/name")
    assert "vocab.txt has 1 lines, expected one for each of the 718 rows" in printed
    assert printed.endswith(f"\nDelete {downloaded} and load hf://org/name again.\n")


@pytest.mark.parametrize(
    "url", ["hf://bert-base-chinese", "hf://", "hf://a/b/c", "hf://a/b@", "HF://a/b", "hf://a/b/"]
)
def test_another_form(url):
    with pytest.raises(ValueError, match=r"must look like hf://google-bert/bert-base-chinese, or"):
        resolve(url)


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-bert-zh\[huggingface\]'"):
        load_checkpoint("hf://org/name")


def test_only_links_that_are_named_by_a_digest_are_compared(tmp_path):
    file = tmp_path / ("a" * 64)
    file.write_bytes(b"not of this digest")
    assert not huggingface_url._compare("hf://org/name", file)
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(ValueError, match=f"link is damaged: .* expected {'a' * 64}"):
        huggingface_url._compare("hf://org/name", tmp_path / "link")


@pytest.mark.parametrize("linked", [True, False])
def test_weights_are_verified_where_links_name_their_digests(tmp_path, monkeypatch, linked):
    """Where there are no links, huggingface_hub copies its files, under their own names."""
    snapshot = tmp_path / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    blob = tmp_path / hashlib.sha256(b"weights").hexdigest()
    for path in (blob, snapshot / "config.json", snapshot / "model.safetensors"):
        path.write_bytes(b"weights")
    if linked:
        (snapshot / "model.safetensors").unlink()
        (snapshot / "model.safetensors").symlink_to(blob)
    stub = types.SimpleNamespace(snapshot_download=lambda *args, **kwargs: str(snapshot))
    monkeypatch.setitem(sys.modules, "huggingface_hub", stub)
    assert resolve("hf://org/name") == Found(snapshot, verified=linked, cached=tmp_path)
