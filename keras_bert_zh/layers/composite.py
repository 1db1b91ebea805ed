"""Layers of layers that come back from a config as they were changed after they were made."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    # It is named before one of Keras's layers, which has what is asked of `self` here.
    from keras.layers import Layer as _Layer
else:
    _Layer = object


class Composite(_Layer):
    """A layer whose config tells what became of the layers in it since they were made.

    Keras's own config of a layer says how it was made. Frozen sublayers, dtype policies, LoRA,
    quantisation and dropout rates that were set later would be lost with it. To be named before
    Keras's class; `build` builds the sublayers inside of `with self.restored():`.

    Args:
        sublayers: dict, the changes that `get_config` found, by the path of the sublayer.
        **kwargs: as for Keras's class.
    """

    def __init__(self, *args: Any, sublayers: dict[str, dict] | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._changes = sublayers or {}

    def described(self) -> Iterable[keras.layers.Layer]:
        """Returns the sublayers of which this config tells: all but those with a config in it."""
        return self._flatten_layers(include_self=False, recursive=False)

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """Gives the sublayers, which are built in between, the changes of the config."""
        layers = {path: layer for path, layer, _ in _walk(self, self.described())}
        strange = [path for path in self._changes if path not in layers]
        if strange:
            raise ValueError(
                f"The config of {self.name} tells of sublayers that it does not have: "
                f"{', '.join(strange)}. Was it written by another version of keras_bert_zh?"
            )
        changes = [(layers[path], change) for path, change in self._changes.items()]
        for layer, change in changes:
            if not layer.built:
                _before_build(layer, change)
        yield
        if not self.trainable:
            # Keras set the flag before there was anything to freeze.
            for layer in self.described():
                layer.trainable = False
        for layer, change in changes:
            _after_build(layer, change)
        self._changes = {}

    def get_config(self) -> dict[str, Any]:
        policy = self.dtype_policy
        found = {
            path: _changes(layer, parent, policy)
            for path, layer, parent in _walk(self, self.described())
        }
        changed = {path: change for path, change in found.items() if change}
        return super().get_config() | ({"sublayers": changed} if changed else {})


def changes_inside(name: str, changes: dict[str, dict] | None) -> dict[str, dict]:
    """Returns the changes of what is in the sublayer of that name, for it to be made with."""
    changes = changes or {}
    paths = {path: path.removeprefix(f"{name}/") for path in changes}
    return {inside: changes[path] for path, inside in paths.items() if inside != path}


def with_frozen(config: dict[str, Any]) -> dict[str, Any]:
    """Returns a config in which the frozen parts that older files tell of are changes, too."""
    config = dict(config)
    frozen = {name: {"trainable": False} for name in config.pop("frozen", [])}
    return config | {"sublayers": frozen | config.get("sublayers", {})}


def _walk(parent, layers, prefix="") -> Iterator[tuple[str, Any, Any]]:
    """Yields path, layer and parent of layers and all that is in them, parents first."""
    for layer in layers:
        path = prefix + layer.name
        yield path, layer, parent
        children = layer._flatten_layers(include_self=False, recursive=False)
        yield from _walk(layer, children, f"{path}/")


def _changes(layer, parent, policy) -> dict[str, Any]:
    """Returns what differs from a layer that was made by `parent` and a dtype policy."""
    found = {}
    if layer.trainable != parent.trainable:
        found["trainable"] = layer.trainable
    # The first one, since LoRA's are float32 anyway.
    made = [keras.backend.standardize_dtype(v.dtype) for v in layer._trainable_variables[:1]]
    if made and made[0] != layer.variable_dtype and not layer.quantization_mode:
        found["variable_dtype"] = made[0]
    # Maps of policies can't be compared.
    same = layer.dtype_policy is policy or layer.dtype_policy == policy
    if not same or "variable_dtype" in found:
        found["dtype"] = _serialized(layer.dtype_policy)
    quantization = getattr(layer, "quantization_config", None)
    if quantization is not None and not _is_default(quantization, layer.dtype_policy):
        found["quantization_config"] = keras.saving.serialize_keras_object(quantization)
    if getattr(layer, "lora_enabled", False):
        found |= {"lora_rank": layer.lora_rank, "lora_alpha": layer.lora_alpha}
    if getattr(layer, "rate", None) != getattr(layer, "made_with_rate", None):
        found["rate"] = layer.rate
    return found


def _serialized(policy) -> str | dict:
    """Returns a policy as short as it can be: there may be one for each layer."""
    is_map = isinstance(policy, keras.dtype_policies.DTypePolicyMap)
    if is_map or keras.dtype_policies.get(policy.name) != policy:
        return keras.dtype_policies.serialize(policy)
    return policy.name


def _is_default(quantization, policy) -> bool:
    """Tells whether Keras takes the same quantisers where only the policy is given."""
    config = quantization.get_config()
    block_size = config.pop("block_size", None)
    default = type(quantization)().get_config()
    default.pop("block_size", None)
    in_name = block_size is None or f"/{block_size}_" in policy.name
    return in_name and config == default


def _before_build(layer, change: dict[str, Any]) -> None:
    """Sets what decides which variables the layer makes."""
    for name in ("lora_rank", "lora_alpha"):
        if name in change:
            setattr(layer, name, change[name])
    if "quantization_config" in change:
        config = change["quantization_config"]
        layer.quantization_config = keras.saving.deserialize_keras_object(config)
    dtype = change.get("variable_dtype", change.get("dtype"))
    policy = None if dtype is None else keras.dtype_policies.get(dtype)
    # Of float8 the further variables come after those that were there before it.
    if policy is not None and policy.quantization_mode != "float8":
        layer.dtype_policy = policy


def _after_build(layer, change: dict[str, Any]) -> None:
    if "dtype" in change:
        layer.dtype_policy = keras.dtype_policies.get(change["dtype"])
    if "rate" in change:
        layer.rate = change["rate"]
    if "trainable" in change:
        layer.trainable = change["trainable"]
