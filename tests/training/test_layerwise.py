import keras
import numpy as np
import pytest

from keras_bert_zh import BertConfig, BertEncoder, MaskedLM, TextClassifier, adamw
from tests.process import run_python
from tests.training import moves

CONFIG = BertConfig(
    vocab_size=11,
    hidden_size=4,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=5,
    max_position_embeddings=6,
)
DECAYED = {"head": 1.0, "pooler": 1.0, "block_2": 0.5, "block_1": 0.25, "block_0": 0.125}
DECAYED |= {"embeddings": 0.0625}


def make(**options):
    return adamw(0.5, 10, **{"warmup": 0, "weight_decay": 0.0, "layer_decay": 0.5} | options)


def encoder(**options):
    return BertEncoder(None, config=CONFIG, **options)


def sequential():
    model = keras.Sequential([encoder(), keras.layers.Dense(2, name="head")])
    model({"input_ids": np.ones((1, 3), "int32")})
    return model


def test_a_step_has_the_rate_of_its_layer():
    found = moves.of_a_step(sequential(), make())
    assert {part: DECAYED[part] for part in found} == pytest.approx(found, rel=1e-4)
    assert found.keys() == DECAYED.keys()


def test_weight_decay_has_the_rate_of_its_layer():
    """With gradients of zero it alone moves a variable, by 0.5 * 0.1 at the full rate."""
    optimizer = make(weight_decay=0.1)
    found = moves.of_a_step(sequential(), optimizer, gradient=0.0, only="kernel|embeddings$")
    assert {part: DECAYED[part] * 0.1 for part in found} == pytest.approx(found, rel=1e-4)
    assert optimizer.weight_decay == 0.1


def test_a_head_of_this_package_and_parts_of_a_path():
    """Parts are whole: `head` is none of `header`."""
    model = TextClassifier(encoder(), ["a", "b"])
    rates = {"classifier": 10.0, "block_1/attention": 3.0, "attention": 0.5}
    optimizer = make(rates=rates)
    found = moves.of_a_step(model, optimizer, parts="classifier|block_1/attention/|block_1/feed_f")
    expected = {"classifier": 10.0, "block_1/attention/": 0.25 * 1.5, "block_1/feed_f": 0.25}
    assert found == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ValueError, match=r"rates names 'class', but no trained variable has that"):
        moves.of_a_step(model, adamw(0.5, 10, rates={"class": 2.0}))


def test_frozen_blocks_and_lora_keep_their_places():
    model = sequential()
    model.layers[0].freeze_layers(1)
    for block in model.layers[0].blocks:
        block.attention.query.enable_lora(1)
    found = moves.of_a_step(model, make(), only="lora")
    assert found == pytest.approx({"block_1": 0.25, "block_2": 0.5}, rel=1e-4)


def test_two_encoders_of_different_depth():
    short = BertEncoder(None, config=BertConfig(**CONFIG.to_dict() | {"num_hidden_layers": 1}))
    ids = {"input_ids": keras.Input((3,), dtype="int32", name="input_ids")}
    joined = keras.layers.Concatenate()([encoder(name="deep")(ids), short(ids)])
    model = keras.Model(ids, keras.layers.Dense(2, name="head")(joined))
    found = moves.of_a_step(
        model,
        make(),
        parts=rf"deep/block_0|deep/emb|{short.name}/block_0|{short.name}/emb",
    )
    expected = [0.0625, 0.125, 0.25, 0.5]
    assert sorted(found.values()) == pytest.approx(expected, rel=1e-4)


def test_it_comes_back_with_a_saved_model(tmp_path):
    model = sequential()
    model.compile(make(rates={"head": 2.0}), "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    found = moves.of_a_step(again, again.optimizer)
    assert found == pytest.approx(DECAYED | {"head": 2.0}, rel=1e-4)


@pytest.mark.parametrize("name", ["accumulating", "scaling", "averaging"])
def test_with_what_else_optimizers_do(name):
    if name == "accumulating":
        optimizer = make(gradient_accumulation_steps=2)
        model = sequential()
        assert set(moves.of_a_step(model, optimizer).values()) == {0}
        assert moves.of_a_step(model, optimizer) == pytest.approx(DECAYED, rel=1e-4)
        return
    optimizer = make(use_ema=name == "averaging")
    if name == "scaling":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    assert moves.of_a_step(sequential(), optimizer) == pytest.approx(DECAYED, rel=1e-4)


def test_without_an_encoder_it_is_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="only")])
    with pytest.raises(
        ValueError, match=r"layer_decay=0.5 needs the blocks .* trained layers are .*/only"
    ):
        moves.of_a_step(model, adamw(0.5, 10, layer_decay=0.5))
    moves.of_a_step(model, adamw(0.5, 10, rates={"only": 2.0}))


def test_embeddings_of_others_are_no_part_of_the_encoder():
    """And the heads of pre-training learn at the full rate."""
    model = MaskedLM(encoder())
    found = moves.of_a_step(model, make(), parts="masked_lm/|block_2")
    assert found == pytest.approx({"masked_lm/": 1.0, "block_2": 0.5}, rel=1e-4)
    model = keras.Sequential([encoder(output_key="sequence_output")])
    model.add(keras.layers.Dense(2, name="embeddings"))
    model({"input_ids": np.ones((1, 3), "int32")})
    found = moves.of_a_step(model, make(), parts=rf"{model.name}/embeddings")
    assert found == pytest.approx({f"{model.name}/embeddings": 1.0}, rel=1e-4)


def test_jax_backend():
    pytest.importorskip("jax")
    run_python(
        """
import jax, keras, numpy as np
from tests.training.test_layerwise import make
variables = []
for part in ("embeddings", "block_0", "block_1", "head"):
    with keras.name_scope("encoder"), keras.name_scope(part):
        variables.append(keras.Variable(np.ones(3, "float32"), name="kernel"))
optimizer = make(weight_decay=0.1)
optimizer.build(variables)
zeros = [np.zeros(3, "float32") for _ in variables]
step = jax.jit(optimizer.stateless_apply)
found, _ = step([v.value for v in optimizer.variables], zeros, [v.value for v in variables])
factors = [float(np.mean(1 - value)) / 0.05 for value in found]
np.testing.assert_allclose(factors, [0.125, 0.25, 0.5, 1], rtol=1e-4)
""",
        KERAS_BACKEND="jax",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer_decay": 0}, "layer_decay must be a number above 0 and at most 1, got 0"),
        ({"layer_decay": 1.5}, "layer_decay must be a number above 0 and at most 1, got 1.5"),
        ({"rates": {"crf": -1}}, r"rates\['crf'\] must be a number .*, got -1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        adamw(1e-3, 10, **arguments)
