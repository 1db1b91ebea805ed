"""Reads a state dict from a pickle that `torch.save` wrote, without running any code in it.

A pickle is a list of instructions for a small machine. This machine knows only the instructions
that a state dict needs. It imports nothing: functions in a pickle are looked up in a short table.
It does not use `pickle.Unpickler`, which calls any function that a pickle can reach, may hash
nested keys for a very long time, and makes its memo as long as a pickle asks for.
"""

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

_ORDERED_DICT = "collections.OrderedDict"
_TENSOR = "torch._utils._rebuild_tensor_v2"
_PARAMETER = "torch._utils._rebuild_parameter"

# NumPy's names of what torch's storages hold.
_STORAGES = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}
_NAMES = {_ORDERED_DICT, _TENSOR, _PARAMETER, *_STORAGES}

_MARK = object()
# Instructions that push their argument. Those in `_CONSTANTS` push always the same value.
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), "MARK": _MARK}
_EMPTY: dict[str, type] = {"EMPTY_DICT": dict, "EMPTY_LIST": list}
_NOTHING = {"PROTO", "FRAME", "STOP"}
_MOST_AXES = 32


class Storage(NamedTuple):
    """The numbers of one or more tensors: their dtype, the key of the storage and their count."""

    dtype: str
    key: str
    size: int


class Stored(NamedTuple):
    """A tensor in a storage; offset and strides are in numbers, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Name(NamedTuple):
    """A name in a pickle: always one of `_NAMES`."""

    text: str


def load(file: BinaryIO) -> tuple[Any, dict[str, Storage]]:
    """Returns the object in the next pickle of the file, and its storages by key.

    Dicts, lists, tuples, str, bytes, int, float, bool and None are returned unchanged, tensors as
    `Stored`.

    Raises:
        ValueError: if the pickle is damaged, or uses anything that a state dict does not need.

    Reference:
        `pickletools` in Python's library describes the instructions; `torch/_utils.py` and
        `torch/serialization.py` in PyTorch, what its own pickles call.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(file):
            machine.step(opcode.name, argument)
    except (IndexError, KeyError) as error:
        raise ValueError("its pickle is damaged") from error
    if len(machine.stack) != 1:
        raise ValueError(f"its pickle is damaged: it has {len(machine.stack)} objects, expected 1")
    return machine.stack[0], machine.storages


class _Machine:
    """Runs the instructions of one pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _LITERALS:
            self.stack.append(argument)
        elif opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode])
        elif opcode in _EMPTY:
            self.stack.append(_EMPTY[opcode]())
        elif opcode in _STEPS:
            _STEPS[opcode](self, argument)
        elif opcode not in _NOTHING:
            raise ValueError(f"its pickle has the opcode {opcode}, which a state dict never needs")

    def to_mark(self) -> list[Any]:
        """Pops the items on the stack above the last mark."""
        items = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def push_tuple(self, size: int) -> None:
        self.stack.append(tuple([self.stack.pop() for _ in range(size)][::-1]))

    def put(self, place: int | None) -> None:
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def get(self, place: int) -> None:
        self.stack.append(self.memo[place])

    def extend(self, items: list[Any]) -> None:
        _expect(self.stack[-1], list).extend(items)

    def update(self, items: list[Any]) -> None:
        entries = _expect(self.stack[-1], dict)
        if len(items) % 2:
            raise ValueError("its pickle is damaged: it has a name without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            entries[_expect(key, str)] = value

    def build(self) -> None:
        """Ignores attributes of a dict, such as `_metadata`."""
        self.stack.pop()
        _expect(self.stack[-1], dict)

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(_known(f"{_expect(module, str)}.{_expect(name, str)}"))

    def reduce(self) -> None:
        arguments, name = self.stack.pop(), _expect(self.stack.pop(), _Name)
        if name.text not in _CALLS:
            raise ValueError(f"its pickle calls {name.text}, which a state dict never does")
        self.stack.append(_CALLS[name.text](*_expect(arguments, tuple)))

    def storage(self) -> None:
        match self.stack.pop():
            # Before torch 1.6, the last one says which part of another storage it is, if any.
            case ("storage", _Name(text), str(key), str(), int(size), *view) if (
                text in _STORAGES and _is_size(size) and view in ([], [None])
            ):
                found = Storage(_STORAGES[text], key, size)
            case _:
                raise ValueError("its pickle has a persistent id that is not a storage of a tensor")
        if self.storages.setdefault(key, found) != found:
            raise ValueError(f"its storage {key[:40]} has two different sizes or dtypes")
        self.stack.append(found)


_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "TUPLE1": lambda machine, _: machine.push_tuple(1),
    "TUPLE2": lambda machine, _: machine.push_tuple(2),
    "TUPLE3": lambda machine, _: machine.push_tuple(3),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.to_mark())),
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.put,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "APPEND": lambda machine, _: machine.extend([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.to_mark()),
    "SETITEM": lambda machine, _: machine.update([machine.stack.pop() for _ in "kv"][::-1]),
    "SETITEMS": lambda machine, _: machine.update(machine.to_mark()),
    "BUILD": lambda machine, _: machine.build(),
    "GLOBAL": lambda machine, name: machine.stack.append(_known(name.replace(" ", ".", 1))),
    "STACK_GLOBAL": lambda machine, _: machine.stack_global(),
    "BINPERSID": lambda machine, _: machine.storage(),
    "REDUCE": lambda machine, _: machine.reduce(),
}


def _known(name: str) -> _Name:
    if name not in _NAMES:
        raise ValueError(
            f"its pickle names {name[:200]}, which a state dict never needs. None of it was run"
        )
    return _Name(name)


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(
            f"its pickle is damaged: it has a {type(value).__name__} in the wrong place"
        )
    return value


def _ordered_dict(*arguments: Any) -> dict[str, Any]:
    """Returns the dict; pickles from Python 2 pass its entries as a list of pairs."""
    match arguments:
        case ():
            return {}
        case (list(pairs),) if all(type(p) is list and len(p) == 2 for p in pairs):
            return {_expect(key, str): value for key, value in pairs}
    raise ValueError(f"its pickle calls {_ORDERED_DICT} with arguments that are not entries")


def _tensor(*arguments: Any) -> Stored:
    match arguments:
        case (Storage() as storage, int(offset), tuple(shape), tuple(strides), bool(), dict()) if (
            type(storage) is Storage
        ):
            sizes = (offset, *shape, *strides)
            if len(shape) == len(strides) <= _MOST_AXES and all(map(_is_size, sizes)):
                return Stored(storage, offset, shape, strides)
    raise ValueError(f"its pickle calls {_TENSOR} with arguments that are not sizes")


def _parameter(*arguments: Any) -> Stored:
    match arguments:
        case (Stored() as tensor, bool(), dict()):
            return tensor
    raise ValueError(f"its pickle calls {_PARAMETER} with an argument that is not a tensor")


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


_CALLS: dict[str, Callable[..., Any]] = {
    _ORDERED_DICT: _ordered_dict,
    _TENSOR: _tensor,
    _PARAMETER: _parameter,
}
