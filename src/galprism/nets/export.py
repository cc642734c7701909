"""A torch module as an ONNX model, by tracing it with torch.fx and writing each operation by a short table.

torch's own exporter is either deprecated or needs another package; the few operations used here fit on a page, and
what is not in the table is refused by name. Constants are folded: what does not depend on the inputs is computed by
torch once and stored.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, fx, nn

OPSET = 20
IR_VERSION = 9
"""The oldest that hold the operations used: ONNX Runtime 1.17 and later read them."""


def to_onnx(
    module: nn.Module,
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, Sequence[int | str]],
    metadata: Mapping[str, str] | None = None,
    *,
    optional: bool = False,
) -> bytes:
    """The module's forward pass as a serialised ONNX model in float32.

    inputs, outputs : name to shape, in the order of the forward pass' arguments and of what it returns; a text such
    as "N" is a free dimension. optional : inputs that nothing depends on are left out.

    Raises TypeError for an operation that the table does not have.
    """
    graph = fx.Tracer().trace(module.eval())
    writer = _Writer(module)
    names = iter(inputs)
    returned: Sequence[Any] = ()
    with torch.no_grad():
        for node in graph.nodes:
            if node.op == "placeholder":
                writer.values[node] = _Name(next(names))
            elif node.op == "output":
                value = node.args[0]
                returned = value if isinstance(value, tuple) else (value,)
            else:
                writer.values[node] = writer.translate(node)
    for name, node in zip(outputs, returned, strict=True):
        writer.add_named("Identity", [writer.values[node]], name)
    if optional:
        inputs = {name: shape for name, shape in inputs.items() if any(name in node.input for node in writer.nodes)}
    model = helper.make_model(
        helper.make_graph(
            writer.nodes,
            "galprism",
            [helper.make_tensor_value_info(k, TensorProto.FLOAT, list(shape)) for k, shape in inputs.items()],
            [helper.make_tensor_value_info(k, TensorProto.FLOAT, list(shape)) for k, shape in outputs.items()],
            writer.initializers,
        ),
        producer_name="galprism",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model)
    return model.SerializeToString()


class _Name(str):
    """The name of a tensor in the ONNX graph, to tell it from text."""


UNARY = {
    torch.exp: "Exp", torch.log: "Log", torch.sqrt: "Sqrt", torch.tanh: "Tanh", torch.erf: "Erf", torch.abs: "Abs",
    torch.sigmoid: "Sigmoid", torch.relu: "Relu", operator.neg: "Neg",
}  # fmt: skip
BINARY = {
    operator.add: "Add", operator.sub: "Sub", operator.mul: "Mul", operator.truediv: "Div", operator.pow: "Pow",
    operator.lt: "Less", operator.gt: "Greater", operator.and_: "And",
    torch.minimum: "Min", torch.maximum: "Max",
}  # fmt: skip
METHODS = {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div"}
"""What an operator becomes where a constant stands before a traced tensor."""
REDUCE = {"sum": "ReduceSum", "amin": "ReduceMin", "amax": "ReduceMax"}
MODULES = {nn.ReLU: "Relu", nn.GELU: "Gelu", nn.Tanh: "Tanh", nn.Identity: "Identity", nn.Dropout: "Identity"}
"""Of modules in inference: dropout is of training alone."""
POOLS = {nn.MaxPool2d: "MaxPool", nn.AvgPool2d: "AveragePool"}
"""Each window begins where the one before ends."""


class _Writer:
    """Collects nodes and initializers; `values` maps a traced node to a tensor's name or to a constant."""

    def __init__(self, module: nn.Module):
        self.module = module
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.values: dict[fx.Node, Any] = {}
        self._constants: dict[bytes, str] = {}

    def translate(self, node: fx.Node) -> Any:
        """What a traced node is: a tensor's name, or a constant where all that it needs is constant."""
        if node.op == "get_attr":
            return operator.attrgetter(str(node.target))(self.module).detach()
        args = fx.map_arg(node.args, lambda n: self.values[n])
        kwargs = fx.map_arg(node.kwargs, lambda n: self.values[n])
        if node.op == "call_module":
            return self._module(self.module.get_submodule(str(node.target)), args[0])
        if not _depends_on_input((args, kwargs)):
            call = node.target if node.op == "call_function" else operator.methodcaller(str(node.target), *args[1:])
            return call(*args, **kwargs) if node.op == "call_function" else call(args[0])  # type: ignore[operator]
        if node.op == "call_function":
            return self._function(node.target, args, kwargs)
        return self._method(str(node.target), args, kwargs)

    def add(self, op: str, inputs: Sequence[Any], **attributes: Any) -> _Name:
        """A new node; returns the name of its output."""
        return self.add_named(op, inputs, f"t{len(self.nodes)}", **attributes)

    def add_named(self, op: str, inputs: Sequence[Any], name: str, **attributes: Any) -> _Name:
        self.nodes.append(helper.make_node(op, [self.name_of(value) for value in inputs], [name], **attributes))
        return _Name(name)

    def name_of(self, value: Any) -> str:
        """The name of a tensor; a constant is stored as float32 (integers as int64), once."""
        if isinstance(value, _Name):
            return value
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64, order="C")
        key = repr((array.shape, array.dtype)).encode() + array.tobytes()
        if key not in self._constants:
            self._constants[key] = f"c{len(self.initializers)}"
            self.initializers.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def _module(self, module: nn.Module, x: Any) -> _Name:
        if isinstance(module, nn.Linear):
            return self.add("Gemm", [x, module.weight, module.bias], transB=1)
        if isinstance(module, nn.Conv2d):
            return self._convolution(module, x)
        if isinstance(module, nn.BatchNorm2d):
            known = [module.weight, module.bias, module.running_mean, module.running_var]
            return self.add("BatchNormalization", [x, *known], epsilon=module.eps)
        if isinstance(module, nn.LayerNorm):
            return self.add("LayerNormalization", [x, module.weight, module.bias], epsilon=module.eps)
        if type(module) in POOLS:
            size: Any = module.kernel_size
            sides = [size, size] if isinstance(size, int) else list(size)
            return self.add(POOLS[type(module)], [x], kernel_shape=sides, strides=sides)
        if isinstance(module, nn.Flatten):
            return self.add("Flatten", [x], axis=module.start_dim)
        if isinstance(module, nn.SiLU):
            return self.add("Mul", [x, self.add("Sigmoid", [x])])
        if type(module) in MODULES:
            return self.add(MODULES[type(module)], [x])
        raise TypeError(f"the ONNX table has no module {type(module).__name__}; see galprism.nets.export")

    def _convolution(self, module: nn.Conv2d, x: Any) -> _Name:
        padding: Any = module.padding
        return self.add(
            "Conv",
            [x, module.weight, *([] if module.bias is None else [module.bias])],
            kernel_shape=list(module.kernel_size),
            strides=list(module.stride),
            pads=[*padding, *padding],
        )

    def _function(self, function: Any, args: tuple, kwargs: dict) -> _Name:
        if function in UNARY:
            return self.add(UNARY[function], [args[0]])
        if function in BINARY:
            return self.add(BINARY[function], [_as_float(value) for value in args])
        if function is operator.getitem:
            return self._item(*args)
        if function is torch.where:
            return self.add("Where", [args[0], *map(_as_float, args[1:])])
        if function is torch.clamp:
            return self.add("Clip", [args[0], float(args[1]), float(args[2])])
        if function in (torch.softmax, torch.log_softmax):
            return self.add("Softmax" if function is torch.softmax else "LogSoftmax", [args[0]], axis=args[1])
        if function is torch.nonzero:
            return self.add("Transpose", [self.add("NonZero", [args[0]])], perm=[1, 0])
        if function is torch.index_select:
            return self.add("Gather", [args[0], args[2]], axis=args[1])
        if function is torch.matmul:
            return self.add("MatMul", list(args))
        if function is torch.addmm:
            return self.add("Gemm", [args[1], args[2], args[0]])
        if function is torch.cat:
            return self.add("Concat", list(args[0]), axis=args[1])
        if function is torch.stack:
            axis = args[1]
            return self.add("Concat", [self.add("Unsqueeze", [x, [axis]]) for x in args[0]], axis=axis)
        raise TypeError(f"the ONNX table has no function {function}; see galprism.nets.export")

    def _method(self, name: str, args: tuple, kwargs: dict) -> _Name:
        x, rest = args[0], args[1:]
        if name in METHODS:
            return self.add(METHODS[name], [_as_float(value) for value in args])
        if name == "t":
            return self.add("Transpose", [x], perm=[1, 0])
        if name == "permute":
            return self.add("Transpose", [x], perm=list(rest))
        if name == "reshape":
            return self.add("Reshape", [x, [int(n) for n in rest]])
        if name == "index_copy" and rest[0] == 0:
            return self.add("ScatterND", [x, self.add("Unsqueeze", [rest[1], [1]]), rest[2]])
        if name == "unsqueeze":
            return self.add("Unsqueeze", [x, [rest[0]]])
        if name in REDUCE and not kwargs and len(rest) == 1:
            return self.add(REDUCE[name], [x, [rest[0]]], keepdims=0)
        raise TypeError(f"the ONNX table has no method {name}{rest}; see galprism.nets.export")

    def _item(self, x: Any, index: Any) -> _Name:
        if isinstance(index, int):
            return self.add("Gather", [x, index], axis=0)
        if isinstance(index, tuple) and len(index) == 2 and index[0] == slice(None):
            if isinstance(index[1], int):
                return self.add("Gather", [x, index[1]], axis=1)
            if isinstance(index[1], slice):
                return self.add("Slice", [x, [index[1].start or 0], [index[1].stop], [1]])
        raise TypeError(f"the ONNX table has no indexing by {index!r}; see galprism.nets.export")


def _as_float(value: Any) -> Any:
    """Plain numbers beside tensors are float32 constants."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _depends_on_input(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_depends_on_input, value))
    if isinstance(value, Mapping):
        return any(map(_depends_on_input, value.values()))
    return isinstance(value, _Name)
