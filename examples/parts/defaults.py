"""How each task is trained by default: one table, by the task and the width of the model.

The rates of narrow models were chosen with the checkpoint "small", on the validation parts of the
data at hand. match_pairs and embed_sentences, which change vectors that were trained before, have
a lower rate and one epoch. Those of wide models are what BERT's authors recommend, but that
embed_sentences has one epoch. Nothing was chosen on a test set.
"""

from typing import NamedTuple

NARROW = 512  # The width up to which a model is trained as "small" is, which is 384 wide.


class Recipe(NamedTuple):
    """How a model is trained."""

    learning_rate: float  # the highest one, a tenth of the steps in
    epochs: int
    batch_size: int
    max_length: int  # tokens of a text, or of a window of it


# By task: up to NARROW wide, and wider.
RECIPES = {
    "classify_reviews": (Recipe(1.2e-4, 2, 32, 128), Recipe(3e-5, 3, 32, 128)),
    "answer_questions": (Recipe(2e-4, 3, 32, 128), Recipe(3e-5, 3, 32, 384)),
    "classify_news": (Recipe(2e-4, 3, 32, 128), Recipe(3e-5, 3, 32, 128)),
    "embed_sentences": (Recipe(5e-5, 1, 32, 96), Recipe(2e-5, 1, 64, 128)),
    "match_pairs": (Recipe(5e-5, 1, 32, 128), Recipe(3e-5, 3, 32, 128)),
    "tag_entities": (Recipe(2e-4, 4, 16, 128), Recipe(3e-5, 3, 32, 128)),
}


def recipe_of(task: str, hidden_size: int) -> Recipe:
    """Returns how a model of this width is trained for a task."""
    narrow, wide = RECIPES[task]
    return narrow if hidden_size <= NARROW else wide
