"""Writes the model card that the Hugging Face Hub shows."""

from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.head import Head
from keras_bert_zh.checkpoints.pooling import Pooling
from keras_bert_zh.messages import listing

CARD = "README.md"
# Tells this page from one that somebody else wrote.
SIGNED = "keras_bert_zh wrote it."

# What a model is for, as the Hub names it, by the end of the name of Transformers' class.
_PIPELINES = {
    "ForMaskedLM": "fill-mask",
    "ForPreTraining": "fill-mask",
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
}

_VECTORS = {
    "cls": "the last hidden state of the first token",
    "mean": "the mean of the last hidden states",
    "max": "the maximum of the last hidden states",
    "pooled_output": "the pooled output of the first token",
}


def model_card(checkpoint: Checkpoint, architecture: str, pooling: Pooling | None) -> str:
    """Returns the page, in Markdown.

    Args:
        checkpoint: the checkpoint that is written.
        architecture: str, the Transformers class that loads it.
        pooling: how a text becomes a vector, if the checkpoint says so.

    Reference:
        https://huggingface.co/docs/hub/model-cards
    """
    config = checkpoint.config
    library = "transformers" if pooling is None else "sentence-transformers"
    ends = [end for end in _PIPELINES if architecture.endswith(end)]
    task = _PIPELINES[ends[0]] if ends else "feature-extraction"
    tags = [task]
    if pooling is not None:
        task = "sentence-similarity"
        tags = [library, task, "feature-extraction"]
    front = ["language: zh"] if _is_chinese(checkpoint.vocabulary or ()) else []
    front += [f"library_name: {library}", f"pipeline_tag: {task}", "tags:"]
    front += [f"- {tag}" for tag in tags]
    size = (
        f"It has {config.num_hidden_layers} layers with hidden size {config.hidden_size}, a "
        f"vocabulary of {config.vocab_size:,} tokens, and takes texts of up to "
        f"{config.max_position_embeddings} tokens."
    )
    paragraphs = [
        "---\n" + "\n".join(front) + "\n---",
        f"# {architecture}",
        size,
        *_of_vectors(pooling),
        *_of_labels(checkpoint.head),
        *_of_crf(checkpoint),
        "## Use",
        f"```python\n{_use(checkpoint, architecture, pooling)}\n```",
        f"`FOLDER` is the folder of this page. {SIGNED} It does not know the training data or the "
        "licence of the model: add both here before you share the model.",
    ]
    return "\n\n".join(paragraphs) + "\n"


def _of_vectors(pooling: Pooling | None) -> list[str]:
    if pooling is None:
        return []
    scaled = ", scaled to length 1" if pooling.normalize else ""
    return [
        f"It turns a text into one vector: {_VECTORS[pooling.mode]}{scaled}. Texts are cut at "
        f"{pooling.max_length} tokens."
    ]


def _of_labels(head: Head | None) -> list[str]:
    if head is None or head.labels is None:
        return []
    return [f"Labels: {listing(head.labels, 30)}."]


def _of_crf(checkpoint: Checkpoint) -> list[str]:
    if "crf" not in checkpoint.parts:
        return []
    return [
        "It was trained with a CRF (a conditional random field), whose weights are `crf.*`. "
        "Transformers ignores them and takes the best label of each token separately, which "
        "gives other labels. keras_bert_zh uses them: "
        '`TokenTagger("FOLDER")`.'
    ]


def _use(checkpoint: Checkpoint, architecture: str, pooling: Pooling | None) -> str:
    if pooling is not None:
        return (
            "from sentence_transformers import SentenceTransformer\n\n"
            'vectors = SentenceTransformer("FOLDER").encode(["今天天气很好"])'
        )
    model = f'model = {architecture}.from_pretrained("FOLDER")'
    if checkpoint.vocabulary is None:
        return f"from transformers import {architecture}\n\n{model}"
    return (
        f"from transformers import AutoTokenizer, {architecture}\n\n"
        f'tokenizer = AutoTokenizer.from_pretrained("FOLDER")\n{model}'
    )


def _is_chinese(vocabulary: tuple[str, ...]) -> bool:
    """Tells whether a quarter of the tokens have a Chinese character; English BERTs have a few."""
    count = sum(any("\u4e00" <= char <= "\u9fff" for char in token) for token in vocabulary)
    return 4 * count > len(vocabulary)
