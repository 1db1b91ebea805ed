"""What is sent over HTTP, and what comes back."""

import base64
import json

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from keras_bert_zh.serving.app import create_app
from keras_bert_zh.serving.options import Options, read_keys
from keras_bert_zh.serving.service import Service
from tests.serving.test_tasks import TEXTS


def error_of(response):
    (name, error), *none = response.json().items()
    assert (name, none) == ("error", [])
    assert error["message"]
    assert error["message"].endswith(".")
    return response.status_code, error["param"], error["code"]


def test_embeddings(client, keras_models):
    model, _ = keras_models["embeddings"]
    expected = model.predict(TEXTS, verbose=0)
    found = client("embeddings").post("/v1/embeddings", json={"input": TEXTS, "model": "bert"})
    assert found.status_code == 200
    body = found.json()
    assert [x["index"] for x in body["data"]] == [*range(len(TEXTS))]
    np.testing.assert_allclose([x["embedding"] for x in body["data"]], expected, atol=1e-5)
    assert {x["object"] for x in body["data"]} == {"embedding"}
    assert (body["object"], body["model"]) == ("list", "bert")
    windows = model.preprocess.windows(TEXTS, 3)
    tokens = int(np.sum(windows["input_mask"]))
    assert body["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_embeddings_as_base64(client):
    ask = {"input": "今天", "dimensions": 3}
    numbers = client("embeddings").post("/v1/embeddings", json=ask).json()["data"][0]["embedding"]
    text = client("embeddings").post("/v1/embeddings", json=ask | {"encoding_format": "base64"})
    decoded = np.frombuffer(base64.b64decode(text.json()["data"][0]["embedding"]), "<f4")
    assert decoded.tolist() == np.float32(numbers).tolist()
    assert np.linalg.norm(decoded) == pytest.approx(1)


def test_predict(client):
    body = client("predict").post("/predict", json={"inputs": ["今天", "房间"]}).json()
    assert [set(x) for x in body["predictions"]] == [{"label", "score", "scores"}] * 2
    one = client("predict").post("/predict", json={"inputs": "今天"}).json()
    assert one["predictions"][0]["label"] == body["predictions"][0]["label"]
    pair = {"text_a": "今天", "text_b": "房间"}
    assert client("pairs").post("/predict", json={"inputs": pair}).status_code == 200


def test_entities_of_a_long_text(client):
    text = "今天天气很好" * 50
    body = client("entities").post("/entities", json={"inputs": [text, ""]}).json()
    found, nothing = body["entities"]
    assert nothing == []
    assert all(text[x["start"] : x["end"]] == x["text"] for x in found)
    assert {"text", "start", "end", "label", "score"} == set(found[0])


def test_fill_mask(client):
    ask = {"inputs": "今天[MASK]气", "top_k": 2}
    ((best,),) = client("fill_mask").post("/fill-mask", json=ask).json()["tokens"]
    assert [set(x) for x in best] == [{"token", "token_id", "score"}] * 2


def test_two_models_share_a_server(client):
    both = client("embeddings", "fill_mask")
    assert both.post("/v1/embeddings", json={"input": "今天"}).status_code == 200
    assert both.post("/fill-mask", json={"inputs": "[MASK]"}).status_code == 200
    served = both.get("/v1/models").json()["data"][0]["serves"]
    assert served == ["embeddings", "fill-mask", "outputs"]


@pytest.mark.parametrize(
    "instances",
    [
        ["今天", "房间"],
        [{"text": "今天"}, {"text": "房间"}],
        [{"input_ids": [1, 2]}, {"input_ids": [1]}],
    ],
)
def test_rows(instances, client):
    found = client("encoder").post("/v1/models/bert:predict", json={"instances": instances})
    rows = found.json()["predictions"]
    assert [set(row) for row in rows] == [{"pooled_output", "sequence_output"}] * 2
    if "input_ids" in instances[0]:
        assert [len(row["sequence_output"]) for row in rows] == [2, 1]
    one = client("predict").post("/v1/models/bert:predict", json={"instances": ["今天"]})
    assert np.shape(one.json()["predictions"]) == (1, 2)


BAD = {
    "no JSON": (b'{"inputs": "', 400, "body"),
    "no UTF-8": (b'{"inputs": "\xff\xfe"}', 400, "body"),
    "a number": (b"3", 422, "body"),
    "a list": (b"[]", 422, "body"),
    "nothing": (b"", 422, "body"),
    "no field": (b"{}", 422, "inputs"),
    "null": (b'{"inputs": null}', 422, "inputs"),
    "a number as text": (b'{"inputs": ["a", 3]}', 422, "inputs[1]"),
    "an empty list": (b'{"inputs": []}', 422, "inputs"),
    "half a character": (b'{"inputs": ["a", "\\ud800"]}', 422, "inputs[1]"),
    "half a pair": (b'{"inputs": [{"text_a": "x"}]}', 422, "inputs[0].text_b"),
    "ids": (b'{"inputs": [[101, 102]]}', 422, "inputs[0]"),
    "an unknown field": (b'{"inputs": "a", "truncated": true}', 422, "truncated"),
    "half a million numbers": (b'{"inputs": [' + b"1," * 40_000 + b"1]}", 422, "inputs[0]"),
    "a threshold": (b'{"inputs": "a", "threshold": 2}', 422, "threshold"),
    "another model": (b'{"inputs": "a", "model": "gpt"}', 404, "model"),
    "a pair": (b'{"inputs": [{"text_a": "x", "text_b": "y"}]}', 422, "inputs[0]"),
    "a long text": (json.dumps({"inputs": ["a", "好" * 30]}).encode(), 413, "inputs[1]"),
    "many texts": (json.dumps({"inputs": ["a"] * 50}).encode(), 422, "inputs"),
    "ten megabytes": (b'{"inputs": "' + b"a" * 10_000_000 + b'"}', 413, "body"),
}


SENTENCES = {
    b'{"input": []}': "input must not be empty.",
    b'{"input": [[1, 2]]}': "input[0] must be a text; send token ids to /v1/models/NAME:predict.",
    b'{"input": ["a", null]}': "input[1] must be a text.",
    b'{"input": "a", "dimensions": 0}': (
        "dimensions is wrong: input should be greater than or equal to 1."
    ),
    b'{"input": "\\udc00"}': (
        "input is wrong: it has half of a surrogate pair, which is not a character."
    ),
    b"{}": "input is missing.",
    b"[]": "The body must be a JSON object.",
}


@pytest.mark.parametrize("content", SENTENCES)
def test_sentences(content, client):
    found = client("embeddings").post("/v1/embeddings", content=content)
    assert found.json()["error"]["message"] == SENTENCES[content]


ROWS = {
    b'{"instances": [{"input_id": [9]}]}': "instances[0].input_id is not a field of this request.",
    b'{"instances": [{"text": "a", "text_b": "b"}]}': (
        "instances[0] is wrong: an instance must have text, or text_a and text_b, or input_ids."
    ),
    b'{"instances": [{}]}': (
        "instances[0] is wrong: an instance must have text, or text_a and text_b, or input_ids."
    ),
    b'{"instances": [{"input_ids": [1, "a"]}]}': (
        "instances[0].input_ids[1] must be a whole number."
    ),
}


@pytest.mark.parametrize("content", ROWS)
def test_sentences_of_rows(content, client):
    found = client("encoder").post("/v1/models/bert:predict", content=content)
    assert found.json()["error"]["message"] == ROWS[content]


@pytest.mark.parametrize("case", BAD)
def test_bad_requests_name_the_field(case, client):
    content, status, param = BAD[case]
    server = client("predict", max_texts=40, max_body_bytes=100_000)
    headers = {"Content-Type": "application/json"}
    found = server.post("/predict", content=content, headers=headers)
    assert error_of(found)[:2] == (status, param)
    assert server.post("/predict", json={"inputs": "今天"}).status_code == 200


def test_bodies_without_a_length_are_limited(client):
    server = client("predict", max_texts=40, max_body_bytes=100_000)
    chunks = (b" " * 1000 for _ in range(200))
    found = server.post("/predict", content=chunks, headers={"Content-Type": "application/json"})
    assert error_of(found) == (413, "body", "body_too_large")


def test_other_errors(client):
    server = client("predict")
    assert error_of(server.get("/nothing")) == (404, None, "no_such_path")
    assert error_of(server.get("/predict")) == (405, None, "method_not_allowed")
    assert error_of(server.post("/entities", json={"inputs": "a"})) == (404, None, "no_such_task")
    columns = server.post("/v1/models/bert:predict", json={"inputs": ["a"]})
    assert columns.status_code == 422
    assert "instances" in columns.json()["error"]["message"]
    late = server.post("/predict", json={"inputs": "a"}, headers={"X-Request-Timeout": "soon"})
    assert error_of(late)[:2] == (422, "X-Request-Timeout")
    too_many = client("embeddings").post("/v1/embeddings", json={"input": "a", "dimensions": 999})
    assert error_of(too_many)[:2] == (422, "dimensions")


def test_the_model_is_told_as_openai_and_as_tensorflow_serving_do(client):
    found = client("predict").get("/v1/models/bert").json()
    assert (found["id"], found["object"]) == ("bert", "model")
    assert found["model_version_status"][0]["state"] == "AVAILABLE"
    assert error_of(client("predict").get("/v1/models/gpt"))[:2] == (404, "model")


def test_what_nobody_expected_is_an_answer_too(served, caplog):
    service = Service([served("predict")], Options(name="bert"))
    service.units["predict"].task.answer = None
    with TestClient(create_app(service)) as server:
        found = server.post("/predict", json={"inputs": "今天"})
        assert error_of(found) == (500, None, "failed")
        assert 'path="/predict",status="500"} 1.0' in server.get("/metrics").text
    assert "Traceback" in caplog.text


def test_health_is_red_when_a_thread_has_died(served):
    service = Service([served("predict")], Options(name="bert"))
    with TestClient(create_app(service)) as server:
        assert [server.head(x).status_code for x in ("/health", "/ready")] == [200, 200]
        service.units["predict"].batcher.error = MemoryError("no memory")
        assert [server.get(x).status_code for x in ("/health", "/ready")] == [503, 503]
        assert server.get("/health").json()["error"] == "no memory"
        service.units["predict"].batcher.error = None
        service.is_draining = True
        assert [server.get(x).status_code for x in ("/health", "/ready")] == [200, 503]
        assert error_of(server.post("/predict", json={"inputs": "a"}))[0] == 503


def test_long_texts_of_rows_are_cut_if_that_is_asked(client):
    ask = {"instances": ["好" * 30]}
    server = client("predict")
    assert error_of(server.post("/v1/models/bert:predict", json=ask))[0] == 413
    cut = server.post("/v1/models/bert:predict", json=ask | {"truncate": True})
    assert cut.status_code == 200


def test_outputs_of_a_masked_lm(client):
    server = client("fill_mask")
    for instance, count in (
        ("今天", 4),
        ({"input_ids": [1, 2, 3]}, 3),
        ({"input_ids": [1, 2, 3], "mlm_positions": [1]}, 1),
    ):
        found = server.post("/v1/models/bert:predict", json={"instances": [instance]})
        assert len(found.json()["predictions"][0]) == count
    none = {"input_ids": [1, 2], "mlm_positions": []}
    found = server.post("/v1/models/bert:predict", json={"instances": [none]})
    assert error_of(found)[:2] == (422, "instances[0].mlm_positions")


def test_many_masks(client):
    ask = {"inputs": ["[MASK]" * 10, "今天"[:1] + "[MASK]"], "top_k": 1}
    found = client("fill_mask").post("/fill-mask", json=ask).json()["tokens"]
    assert [len(x) for x in found] == [10, 1]


def test_deadlines(client):
    server = client("predict")
    found = server.post("/predict", json={"inputs": "a"}, headers={"X-Request-Timeout": "1e-9"})
    assert error_of(found) == (504, None, "deadline_exceeded")


def test_keys(client, tmp_path):
    (tmp_path / "keys").write_text("one\n# and another one\n\ntwo\n")
    server = client("predict", keys=read_keys(tmp_path / "keys"))
    ask = {"json": {"inputs": "今天"}}
    for headers in ({}, {"Authorization": "Bearer three"}, {"Authorization": "Basic one"}):
        assert error_of(server.post("/predict", headers=headers, **ask))[0] == 401
        assert server.get("/metrics", headers=headers).status_code == 401
    for key in ("one", "two"):
        headers = {"Authorization": f"Bearer {key}"}
        assert server.post("/predict", headers=headers, **ask).status_code == 200
    for path in ("/health", "/ready", "/docs", "/openapi.json"):
        assert server.get(path).status_code == 200


def test_metrics(client):
    server = client("predict", batch_tokens=64)
    for _ in range(3):
        server.post("/predict", json={"inputs": ["今天", "房间"]})
    server.post("/predict", json={"inputs": []})
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(server.get("/metrics").text)
        for sample in family.samples
    }
    prefix = "keras_bert_zh"
    assert values[f"{prefix}_requests_total", "/predict", "200"] == 3
    assert values[f"{prefix}_requests_total", "/predict", "422"] == 1
    assert values[f"{prefix}_texts_total", "predict"] == 6
    assert values[f"{prefix}_tokens_total", "predict"] == 24
    assert values[f"{prefix}_batch_tokens_sum", "predict"] == 24
    assert values[f"{prefix}_batch_fill_sum", "predict"] == pytest.approx(24 / 64)
    assert values[f"{prefix}_queue_tokens", "predict"] == 0
    assert values[f"{prefix}_request_seconds_count", "/predict"] == 4


def test_access_log(client, capsys):
    client("predict", access_log=True).post("/predict", json={"inputs": "今天"})
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (line["path"], line["status"], line["texts"], line["tokens"]) == ("/predict", 200, 1, 4)
    assert line["seconds"] > 0


EXAMPLES = {
    "/v1/embeddings": "embeddings",
    "/predict": "predict",
    "/entities": "entities",
    "/fill-mask": "fill_mask",
    "/v1/models/{model}:predict": "encoder",
}


def test_examples_of_the_page_work(client):
    schema = client("predict").get("/openapi.json").json()
    posts = {path: x["post"] for path, x in schema["paths"].items() if "post" in x}
    assert posts.keys() == EXAMPLES.keys()
    for path, operation in posts.items():
        content = operation["requestBody"]["content"]["application/json"]
        name = content["schema"]["$ref"].rpartition("/")[2]
        fields = schema["components"]["schemas"][name]["properties"]
        body = {key: x["examples"][0] for key, x in fields.items() if "examples" in x}
        server = client(EXAMPLES[path])
        found = server.post(path.replace("{model}", "bert"), json=body)
        assert found.status_code == 200, found.text
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert found.json().keys() == set(
            schema["components"]["schemas"][answer["$ref"].rpartition("/")[2]]["properties"]
        )
