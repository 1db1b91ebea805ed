"""The schemas of requests and answers, which the API page at /docs shows."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from keras_bert_zh.serving.tasks import MOST_TOKENS


def _whole(text: str) -> str:
    """Refuses what JSON can write and UTF-8 can't."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("it has half of a surrogate pair, which is not a character") from error
    return text


String = Annotated[str, AfterValidator(_whole)]

# Of a list, the first error is told.
_LIST = Field(min_length=1, fail_fast=True)

_NAME = Field(None, description="If given, this must be the name of the served model.")
_TRUNCATE = Field(
    False, description="Whether texts that are too long are cut. If not, they get status 413."
)


class Pair(BaseModel):
    """Two texts, for models that take pairs."""

    model_config = ConfigDict(extra="forbid")
    text_a: String
    text_b: String


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")
    model: str | None = _NAME


class EmbeddingsRequest(_Request):
    """Texts to compute vectors of, in OpenAI's format."""

    # OpenAI's clients send further fields.
    model_config = ConfigDict(extra="ignore")
    input: String | Annotated[list[String], _LIST] = Field(
        description="A text, or a list of texts.", examples=[["房间很干净", "电池不行"]]
    )
    encoding_format: Literal["float", "base64"] | None = Field(
        "float", description="Numbers, or base64 of little-endian float32."
    )
    dimensions: int | None = Field(
        None, ge=1, description="Keep only the first numbers, and scale to length 1 again."
    )
    truncate: bool = _TRUNCATE


class PredictRequest(_Request):
    """Texts or pairs to classify."""

    inputs: String | Pair | Annotated[list[String | Pair], _LIST] = Field(
        description="A text, a pair, or a list of these.", examples=[["房间很干净", "电池不行"]]
    )
    threshold: float = Field(
        0.5, ge=0, le=1, description="For several labels: the lowest probability of a label."
    )
    truncate: bool = _TRUNCATE


class EntitiesRequest(_Request):
    """Texts to find entities in, of any length."""

    inputs: String | Annotated[list[String], _LIST] = Field(
        description="A text, or a list of texts.", examples=[["我在北京大学读书"]]
    )


class FillMaskRequest(_Request):
    """Texts with `[MASK]` in place of the tokens to predict."""

    inputs: String | Annotated[list[String], _LIST] = Field(
        description="A text, or a list of texts.", examples=[["今天[MASK]气很好"]]
    )
    top_k: int = Field(5, ge=1, le=MOST_TOKENS, description="How many tokens for each `[MASK]`.")
    truncate: bool = _TRUNCATE


_KINDS = ({"text"}, {"text_a", "text_b"})


class Instance(BaseModel):
    """A text, a pair, or the ids of one row in the format of the Hub module."""

    model_config = ConfigDict(extra="forbid")
    text: String | None = None
    text_a: String | None = None
    text_b: String | None = None
    input_ids: Annotated[list[int], Field(fail_fast=True)] | None = None
    input_mask: Annotated[list[int], Field(fail_fast=True)] | None = None
    segment_ids: Annotated[list[int], Field(fail_fast=True)] | None = None
    task_type_ids: Annotated[list[int], Field(fail_fast=True)] | None = None
    mlm_positions: Annotated[list[int], Field(fail_fast=True)] | None = None

    @model_validator(mode="after")
    def _one_kind(self):
        given = self.model_dump(exclude_none=True).keys()
        if given not in _KINDS and ("input_ids" not in given or given & {"text", *_KINDS[1]}):
            raise ValueError("an instance must have text, or text_a and text_b, or input_ids")
        return self


class RowsRequest(BaseModel):
    """Rows in the format of TensorFlow Serving."""

    model_config = ConfigDict(extra="forbid")
    instances: Annotated[list[String | Instance], _LIST] = Field(
        description="Texts, objects with text, or with text_a and text_b, or with ids.",
        examples=[["房间很干净", "电池不行"]],
    )
    signature_name: Literal["serving_default", "tokens"] | None = Field(
        None, description="Both do the same, since the form of the instances is enough."
    )
    truncate: bool = _TRUNCATE

    @model_validator(mode="before")
    @classmethod
    def _only_rows(cls, data):
        if isinstance(data, dict) and "inputs" in data:
            raise ValueError('columns ("inputs") are not supported: send rows as "instances"')
        return data


class Usage(BaseModel):
    """The number of tokens that were computed."""

    prompt_tokens: int
    total_tokens: int


class Embedding(BaseModel):
    """One vector."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsAnswer(BaseModel):
    """Vectors in the order of the texts."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


class Prediction(BaseModel):
    """The result for one text: `label` and `score`, `labels`, or `value` or `values`."""

    label: str | None = None
    labels: list[str] | None = None
    score: float | None = None
    scores: dict[str, float] | None = None
    value: float | None = None
    values: dict[str, float] | None = None


class PredictAnswer(BaseModel):
    """One prediction per text. It has only the fields of its kind of model."""

    predictions: list[Prediction]
    model: str
    usage: Usage


class Entity(BaseModel):
    """An entity; `start` and `end` count Unicode code points of the text, as Python does."""

    text: str
    start: int
    end: int
    label: str
    score: float


class EntitiesAnswer(BaseModel):
    """The entities of each text."""

    entities: list[list[Entity]]
    model: str
    usage: Usage


class Token(BaseModel):
    """A token predicted for a `[MASK]`."""

    token: str
    token_id: int
    score: float


class FillMaskAnswer(BaseModel):
    """The most likely tokens for each `[MASK]` of each text."""

    tokens: list[list[list[Token]]]
    model: str
    usage: Usage


class RowsAnswer(BaseModel):
    """The outputs of each row: a value, or an object if the model has several outputs."""

    predictions: list


class Problem(BaseModel):
    """What is wrong, and the field that is wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(BaseModel):
    """An error in OpenAI's format."""

    error: Problem
