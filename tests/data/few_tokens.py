"""A vocabulary of a few characters, and an encoder for it that XLA compiles within seconds."""

from keras_bert_zh import BertConfig

CHARACTERS = list("今天气很好我们去公园吧几点开门早上九")
# Few tokens, so that XLA compiles within seconds.
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]
CONFIG = BertConfig(
    vocab_size=len(VOCABULARY),
    hidden_size=12,
    num_hidden_layers=1,
    num_attention_heads=3,
    intermediate_size=17,
    max_position_embeddings=64,
)
