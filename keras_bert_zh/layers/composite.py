"""Layers whose config keeps later changes to their sublayers."""

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
    """A layer whose config contains the changes to its sublayers since they were created.

    The config of a Keras layer only says how it was created. Frozen sublayers, dtype policies,
    LoRA, quantisation and dropout rates that were set later would be lost. List it before Keras's
    class; `build` must build the sublayers in `with self.restored():`.

    Args:
        sublayers: dict, the changes that `get_config` found, by the path of the sublayer.
        **kwargs: as for Keras's class.
    """

    def __init__(self, *args: Any, sublayers: dict[str, dict] | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._changes = sublayers or {}

    def described(self) -> Iterable[keras.layers.Layer]:
        """Returns the sublayers that this config describes: those without a config of their own."""
        return self._flatten_layers(include_self=False, recursive=False)

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """Applies the changes of the config to the sublayers, which are built inside it."""
        layers = {path: layer for path, layer, _ in _walk(self, self.described())}
        strange = [path for path in self._changes if path not in layers]
        if strange:
            raise ValueError(
                f"The config of {self.name} lists sublayers that the layer does not have: "
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
    """Returns the changes inside the sublayer of that name, as an argument to create it."""
    changes = changes or {}
    paths = {path: path.removeprefix(f"{name}/") for path in changes}
    return {inside: changes[path] for path, inside in paths.items() if inside != path}


def with_frozen(config: dict[str, Any]) -> dict[str, Any]:
    """Returns a config in which the frozen parts of older files are changes too."""
    config = dict(config)
    frozen = {name: {"trainable": False} for name in config.pop("frozen", [])}
    return config | {"sublayers": frozen | config.get("sublayers", {})}


def _walk(parent, layers, prefix="") -> Iterator[tuple[str, Any, Any]]:
    """Yields path, layer and parent of layers and all their sublayers, parents first."""
    for layer in layers:
        path = prefix + layer.name
        yield path, layer, parent
        children = layer._flatten_layers(include_self=False, recursive=False)
        yield from _walk(layer, children, f"{path}/")


def _changes(layer, parent, policy) -> dict[str, Any]:
    """Returns the differences from a layer created by `parent` with a dtype policy."""
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
