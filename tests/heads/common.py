"""What the tests of the heads share; it runs on any backend of Keras."""

from keras_bert_zh.checkpoints import assign, names
from keras_bert_zh.heads.masked_lm_head import MaskedLMHead


def weights_of(head):
    """The head's variables by the names that a checkpoint has for them."""
    found = {}
    for name in names.SHAPES:
        if names.part_of(name) == "masked_lm":
            variable = head
            for part in name.split(".")[1:]:
                variable = getattr(variable, part)
            found[name] = variable
    return found


def loaded(tiny, **kwargs):
    config = tiny.config
    head = MaskedLMHead(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        activation=config.hidden_act,
        epsilon=config.layer_norm_eps,
        **kwargs,
    )
    variables = weights_of(head)
    assign(tiny.weights.only(variables), variables)
    return head
