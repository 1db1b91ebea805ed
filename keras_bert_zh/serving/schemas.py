"""What requests hold. Each field says what it is; the page of the API shows the examples."""

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

_NAME = Field(None, description="The name of the model, if it is given: that which is served.")
_TRUNCATE = Field(
    False, description="Whether texts that are too long are cut. If not, they are refused: 413."
)


class Pair(BaseModel):
    """Two texts, for models of pairs."""

    model_config = ConfigDict(extra="forbid")
    text_a: String
    text_b: String


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")
    model: str | None = _NAME


class EmbeddingsRequest(_Request):
    """Texts that vectors are made of, as OpenAI has it."""

    # OpenAI's clients send further fields.
    model_config = ConfigDict(extra="ignore")
    input: String | Annotated[list[String], _LIST] = Field(
        description="A text, or a list of texts.", examples=[["房间很干净", "电池不行"]]
    )
    encoding_format: Literal["float", "base64"] | None = Field(
        "float", description="Numbers, or float32 in little-endian order as base64."
    )
    dimensions: int | None = Field(
        None, ge=1, description="So many of the first numbers, scaled to length 1 again."
    )
    truncate: bool = _TRUNCATE


class PredictRequest(_Request):
    """Texts or pairs that are classified."""

    inputs: String | Pair | Annotated[list[String | Pair], _LIST] = Field(
        description="A text, a pair, or a list of these.", examples=[["房间很干净", "电池不行"]]
    )
    threshold: float = Field(
        0.5, ge=0, le=1, description="For several labels: how probable those are that count."
    )
    truncate: bool = _TRUNCATE


class EntitiesRequest(_Request):
    """Texts in which entities are found. They may have any length."""

    inputs: String | Annotated[list[String], _LIST] = Field(
        description="A text, or a list of texts.", examples=[["我在北京大学读书"]]
    )


class FillMaskRequest(_Request):
    """Texts with `[MASK]` in the places of tokens that are to be found."""

    inputs: String | Annotated[list[String], _LIST] = Field(
        description="A text, or a list of texts.", examples=[["今天[MASK]气很好"]]
    )
    top_k: int = Field(5, ge=1, le=MOST_TOKENS, description="How many tokens for each place.")
    truncate: bool = _TRUNCATE


_KINDS = ({"text"}, {"text_a", "text_b"})


class Instance(BaseModel):
    """A text, a pair, or the ids of one row as the Hub module takes them."""

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
    """Rows, as TensorFlow Serving has them."""

    model_config = ConfigDict(extra="forbid")
    instances: Annotated[list[String | Instance], _LIST] = Field(
        description="Texts, objects with text, or with text_a and text_b, or with ids.",
        examples=[["房间很干净", "电池不行"]],
    )
    signature_name: Literal["serving_default", "tokens"] | None = Field(
        None, description="Both do the same: what is sent says what it is."
    )
    truncate: bool = _TRUNCATE

    @model_validator(mode="before")
    @classmethod
    def _only_rows(cls, data):
        if isinstance(data, dict) and "inputs" in data:
            raise ValueError('columns ("inputs") are not supported: send rows as "instances"')
        return data


class Usage(BaseModel):
    """How many tokens were computed."""

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
    """What one text is: `label` and `score`, or `labels` of several, or `value` or `values`."""

    label: str | None = None
    labels: list[str] | None = None
    score: float | None = None
    scores: dict[str, float] | None = None
    value: float | None = None
    values: dict[str, float] | None = None


class PredictAnswer(BaseModel):
    """One prediction a text. Each has only the fields of its kind of model."""

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
    """A token for a place."""

    token: str
    token_id: int
    score: float


class FillMaskAnswer(BaseModel):
    """Of each text, for each `[MASK]`, the most likely tokens."""

    tokens: list[list[list[Token]]]
    model: str
    usage: Usage


class RowsAnswer(BaseModel):
    """The outputs of each row: a value, or an object of them where the model has several."""

    predictions: list


class Problem(BaseModel):
    """What is wrong, and in which field."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(BaseModel):
    """An error, in OpenAI's form."""

    error: Problem
