"""sentence-transformers behind FastAPI, as one writes it first: each request is a call of `encode`.

Started by uvicorn in the folder of the model.
"""

import torch
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer


class Texts(BaseModel):
    """The body of a request."""

    model: str
    input: list[str]


def _app(dtype: str) -> FastAPI:
    model = SentenceTransformer(".", device="cpu", model_kwargs={"dtype": getattr(torch, dtype)})
    app = FastAPI()

    @app.get("/ready")
    def ready() -> None:
        pass

    # FastAPI calls what is not async in a pool of threads.
    @app.post("/v1/embeddings")
    def embed(texts: Texts) -> JSONResponse:
        vectors = model.encode(texts.input, show_progress_bar=False)
        data = [
            {"object": "embedding", "index": index, "embedding": vector.tolist()}
            for index, vector in enumerate(vectors)
        ]
        return JSONResponse({"object": "list", "model": texts.model, "data": data})

    return app


def float32() -> FastAPI:
    return _app("float32")


def bfloat16() -> FastAPI:
    return _app("bfloat16")
