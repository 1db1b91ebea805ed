"""The HTTP routes of a server, one function each."""

import base64
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from keras_bert_zh.serving import schemas
from keras_bert_zh.serving.errors import RefusedError
from keras_bert_zh.serving.invalid import of_validation
from keras_bert_zh.serving.middleware import AccessLog, BodyLimit, Counted, Keys
from keras_bert_zh.serving.service import Service
from keras_bert_zh.serving.waiting import seconds_of, while_connected
from keras_bert_zh.version import __version__

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ErrorAnswer, "description": text}
    for status, text in {
        401: "The key is missing or wrong.",
        404: "There is no such model, or the model does not serve this path.",
        413: "The request, or a text, is too long.",
        422: "A field is not valid.",
        429: "Too many tokens are waiting: try again after `Retry-After` seconds.",
        503: "The server is stopping.",
        504: "The answer was not ready in time.",
    }.items()
}


def create_app(service: Service) -> FastAPI:
    """Returns the application that serves a Service.

    Args:
        service: Service; it is started and closed with the application.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app):
        service.start()
        yield
        await service.close()

    app = FastAPI(
        title="keras_bert_zh",
        version=__version__,
        description=f"Serves `{service.options.name}`.",
        lifespan=lifespan,
        # So that the page can send a key; they are looked at before.
        dependencies=[Depends(HTTPBearer(auto_error=False))] if service.options.keys else [],
        separate_input_output_schemas=False,
    )
    app.state.service = service
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _other)
    _add_state(app, service)
    _add_tasks(app, service)
    options = service.options
    # The last one is the first to see a request.
    app.add_middleware(BodyLimit, most=options.max_body_bytes)
    if options.keys:
        app.add_middleware(Keys, keys=options.keys)
    app.add_middleware(Counted, metrics=service.metrics)
    if options.access_log:
        app.add_middleware(AccessLog)
    return app


def _add_state(app: FastAPI, service: Service) -> None:
    """Adds what tells of the server itself."""
    name = service.options.name

    @app.head("/health", include_in_schema=False)
    @app.get("/health", summary="Whether the server works")
    async def health():
        if service.error is not None:
            return _json({"status": "failed", "error": f"{service.error}"}, 503)
        return _json({"status": "ok"})

    @app.head("/ready", include_in_schema=False)
    @app.get("/ready", summary="Whether the server accepts requests")
    async def ready():
        if service.error is not None or service.is_draining:
            return _json({"status": "stopping"}, 503)
        return _json({"status": "ready"})

    @app.get("/metrics", summary="Metrics, for Prometheus")
    async def metrics():
        return Response(service.metrics.exposed(), media_type=service.metrics.content_type)

    model = {"id": name, "object": "model", "created": 0, "owned_by": "keras_bert_zh"}

    @app.get("/v1/models", summary="The served model")
    async def models():
        return _json({"object": "list", "data": [model | {"serves": sorted(service.units)}]})

    @app.get("/v1/models/{model_id:path}", summary="The model, also for TensorFlow Serving")
    async def one_model(model_id: str):
        _check_name(model_id, name)
        status = {"error_code": "OK", "error_message": ""}
        version = {"version": "1", "state": "AVAILABLE", "status": status}
        return _json(model | {"model_version_status": [version]})


def _add_tasks(app: FastAPI, service: Service) -> None:
    """Adds what computes."""
    name = service.options.name

    async def ask(request, model, endpoint, param, sent, *, truncate=False, **options):
        _check_name(model, name)
        seconds = seconds_of(request, service.options.timeout)
        asked = service.answers(
            endpoint, param, sent, truncate=truncate, seconds=seconds, **options
        )
        found, tokens = await while_connected(request, asked)
        request.scope["served"] = {"texts": len(sent), "tokens": tokens}
        return found, {"prompt_tokens": tokens, "total_tokens": tokens}

    @app.post(
        "/v1/embeddings",
        response_model=schemas.EmbeddingsAnswer,
        responses=_ERRORS,
        summary="Vectors of texts",
    )
    async def embeddings(body: schemas.EmbeddingsRequest, request: Request):
        _check_dimensions(service, body.dimensions)
        vectors, usage = await ask(
            request,
            body.model,
            "embeddings",
            "input",
            _listed(body.input),
            truncate=body.truncate,
            dimensions=body.dimensions,
        )
        if body.encoding_format == "base64":
            vectors = [base64.b64encode(x.astype("<f4").tobytes()).decode() for x in vectors]
        data = [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(vectors)
        ]
        return _json({"object": "list", "data": data, "model": name, "usage": usage})

    @app.post(
        "/predict",
        response_model=schemas.PredictAnswer,
        responses=_ERRORS,
        summary="Labels of texts",
    )
    async def predict(body: schemas.PredictRequest, request: Request):
        sent = [x if isinstance(x, str) else (x.text_a, x.text_b) for x in _listed(body.inputs)]
        found, usage = await ask(
            request,
            body.model,
            "predict",
            "inputs",
            sent,
            truncate=body.truncate,
            threshold=body.threshold,
        )
        return _json({"predictions": found, "model": name, "usage": usage})

    @app.post(
        "/entities",
        response_model=schemas.EntitiesAnswer,
        responses=_ERRORS,
        summary="Entities in texts",
    )
    async def entities(body: schemas.EntitiesRequest, request: Request):
        found, usage = await ask(request, body.model, "entities", "inputs", _listed(body.inputs))
        return _json({"entities": found, "model": name, "usage": usage})

    @app.post(
        "/fill-mask",
        response_model=schemas.FillMaskAnswer,
        responses=_ERRORS,
        summary="The most likely tokens for [MASK]",
    )
    async def fill_mask(body: schemas.FillMaskRequest, request: Request):
        found, usage = await ask(
            request,
            body.model,
            "fill-mask",
            "inputs",
            _listed(body.inputs),
            truncate=body.truncate,
            top_k=body.top_k,
        )
        return _json({"tokens": found, "model": name, "usage": usage})

    @app.post(
        "/v1/models/{model:path}:predict",
        response_model=schemas.RowsAnswer,
        responses=_ERRORS,
        summary="All outputs, in the format of TensorFlow Serving",
    )
    async def rows(model: str, body: schemas.RowsRequest, request: Request):
        sent = [_sent(instance) for instance in body.instances]
        found, _ = await ask(request, model, "outputs", "instances", sent, truncate=body.truncate)
        return _json({"predictions": found})


def _check_name(given: str | None, name: str) -> None:
    if given not in (None, name):
        raise RefusedError(
            404,
            f"model is {given!r}, but this server serves {name!r}.",
            param="model",
            code="model_not_found",
        )


def _listed(value: Any) -> Sequence:
    return value if isinstance(value, list) else [value]


def _sent(instance: Any) -> Any:
    if isinstance(instance, str):
        return instance
    if instance.text is not None:
        return instance.text
    if instance.text_a is not None:
        return instance.text_a, instance.text_b
    return instance.model_dump(exclude_none=True)


def _check_dimensions(service: Service, dimensions: int | None) -> None:
    size = service.vector_size
    if dimensions is not None and size is not None and dimensions > size:
        raise RefusedError(
            422, f"dimensions is {dimensions}, but vectors have {size} numbers.", param="dimensions"
        )


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = orjson.dumps(content, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status, headers, media_type="application/json")


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):  # A view of every other column, or a half.
        return value.astype(np.float32).tolist() if value.dtype == np.float16 else value.tolist()
    raise TypeError(f"{type(value)} can't be written as JSON")


async def _refused(request: Request, error: Any) -> Response:
    return _json(error.body(), error.status, error.headers)


async def _invalid(request: Request, error: Any) -> Response:
    refused = of_validation(error.errors())
    return _json(refused.body(), refused.status)


async def _other(request: Request, error: Any) -> Response:
    path = request.url.path
    known = {
        400: ("not_json", "body", "The body must be JSON in UTF-8."),
        404: ("no_such_path", None, f"There is no {path}: see /docs for all paths."),
        405: ("method_not_allowed", None, f"{path} does not take {request.method}: see /docs."),
    }
    code, param, text = known.get(error.status_code, (None, None, f"{error.detail}."))
    refused = RefusedError(error.status_code, text, param=param, code=code)
    return _json(refused.body(), error.status_code, error.headers)
