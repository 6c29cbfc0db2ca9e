"""The ways to run a network that can be compared, by the names users type.

A runtime is imported when a contender opens, in its own process: what one imports, others do not
hold in memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drsformer.contract import Batch
from drsformer.errors import DRSformerError
from drsformer.runtime.options import Precision, RunOptions

Network = Callable[[Batch], Batch]


@dataclass(frozen=True)
class Files:
    """What contenders open.

    Attributes:
        checkpoint: of the network.
        plain: its ONNX file without rewrites, or None where no contender needs it.
        any: its ONNX file as it is deployed where no target is given, likewise.
        ort: as it is deployed in ONNX Runtime on a CPU, likewise.
        openvino: as it is deployed in OpenVINO, likewise.
    """

    checkpoint: Path
    plain: Path | None = None
    any: Path | None = None
    ort: Path | None = None
    openvino: Path | None = None


@dataclass(frozen=True)
class Contender:
    """One way to run the network.

    Attributes:
        title: for tables.
        file: the attribute of `Files` that it opens.
        provider: of the runtime; None for PyTorch.
        precision: "fp32" or "bf16".
        compiled: by torch.compile.
    """

    title: str
    file: str = "checkpoint"
    provider: str | None = None
    precision: Precision = "fp32"
    compiled: bool = False

    def open(self, files: Files, threads: int) -> Network:
        """Return float32 (N, 3, H, W) to the same shape, not clamped.

        Raises:
            DRSformerError: the file, the provider or the precision cannot be had here.
        """
        path = getattr(files, self.file)
        if self.provider is None:
            return _torch_network(path, threads, self.precision, compiled=self.compiled)
        from drsformer.runtime.model import Model

        network: Network = Model(path, RunOptions(self.provider, threads, self.precision)).run
        return network


CONTENDERS = {
    "pytorch": Contender("PyTorch eager"),
    "pytorch-bf16": Contender("PyTorch eager, bfloat16", precision="bf16"),
    "compile": Contender("torch.compile", compiled=True),
    "compile-bf16": Contender("torch.compile, bfloat16", precision="bf16", compiled=True),
    "plain": Contender("plain ONNX, ONNX Runtime", file="plain", provider="cpu"),
    "deployed": Contender("deployed ONNX, ONNX Runtime", file="ort", provider="cpu"),
    "deployed-any": Contender(
        "deployed ONNX without a target, ONNX Runtime", file="any", provider="cpu"
    ),
    "openvino": Contender("deployed ONNX, OpenVINO", file="openvino", provider="openvino"),
    "openvino-bf16": Contender(
        "deployed ONNX, OpenVINO bfloat16", file="openvino", provider="openvino", precision="bf16"
    ),
    "cuda": Contender("deployed ONNX, ONNX Runtime CUDA", file="any", provider="cuda"),
    "tensorrt": Contender("deployed ONNX, TensorRT", file="any", provider="tensorrt"),
}


def contender_from_name(name: str) -> Contender:
    """Return a contender; raises DRSformerError for an unknown name."""
    if name not in CONTENDERS:
        raise DRSformerError(
            f"unknown contender {name!r}; expected some of {', '.join(CONTENDERS)}"
        )
    return CONTENDERS[name]


def _torch_network(path: Path, threads: int, precision: str, *, compiled: bool) -> Network:
    """Open a checkpoint as the plain network in PyTorch."""
    import torch

    from drsformer.checkpoint import checkpoint_from_file

    checkpoint = checkpoint_from_file(path)
    torch.set_num_threads(threads)
    model = checkpoint.model()
    function: Any = torch.compile(model) if compiled else model
    bf16 = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")

    def run(batch: Batch) -> Batch:
        with torch.inference_mode(), bf16:
            result: Batch = function(torch.from_numpy(batch)).float().numpy()
        return result

    return run
