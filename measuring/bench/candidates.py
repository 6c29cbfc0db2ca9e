"""The ways to run a network that can be compared, by the names users type.

Each candidate runs in a process of its own and imports its runtime there when it opens, so no
candidate holds the libraries of another in memory.
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
class CandidateFiles:
    """The files that candidates open; a form that no candidate needs is None.

    Attributes:
        checkpoint: the network's checkpoint.
        plain: ONNX without rewrites.
        any: ONNX rewritten for any runtime.
        ort: ONNX rewritten for ONNX Runtime on a CPU.
        openvino: ONNX rewritten for OpenVINO.
    """

    checkpoint: Path
    plain: Path | None = None
    any: Path | None = None
    ort: Path | None = None
    openvino: Path | None = None


@dataclass(frozen=True)
class Candidate:
    """One way to run the network.

    Attributes:
        title: its name in the report.
        file: the attribute of `CandidateFiles` that it opens.
        provider: the provider that the runtime uses; None for PyTorch.
        precision: "fp32" or "bf16".
        compiled: whether torch.compile compiles the network.
    """

    title: str
    file: str = "checkpoint"
    provider: str | None = None
    precision: Precision = "fp32"
    compiled: bool = False

    def open(self, files: CandidateFiles, threads: int) -> Network:
        """Return a function from float32 (N, 3, H, W) to the same shape, not clamped.

        Raises:
            DRSformerError: the file cannot be opened, or this machine lacks the provider or the
                precision.
        """
        path = getattr(files, self.file)
        if self.provider is None:
            return _torch_network(path, threads, self.precision, compiled=self.compiled)
        from drsformer.runtime.model import Model

        network: Network = Model(path, RunOptions(self.provider, threads, self.precision)).run
        return network


CANDIDATES = {
    "pytorch": Candidate("PyTorch eager"),
    "pytorch-bf16": Candidate("PyTorch eager, bfloat16", precision="bf16"),
    "compile": Candidate("torch.compile", compiled=True),
    "compile-bf16": Candidate("torch.compile, bfloat16", precision="bf16", compiled=True),
    "plain": Candidate("plain ONNX, ONNX Runtime", file="plain", provider="cpu"),
    "deployed": Candidate("deployed ONNX, ONNX Runtime", file="ort", provider="cpu"),
    "deployed-any": Candidate(
        "deployed ONNX without a target, ONNX Runtime", file="any", provider="cpu"
    ),
    "openvino": Candidate("deployed ONNX, OpenVINO", file="openvino", provider="openvino"),
    "openvino-bf16": Candidate(
        "deployed ONNX, OpenVINO bfloat16", file="openvino", provider="openvino", precision="bf16"
    ),
    "cuda": Candidate("deployed ONNX, ONNX Runtime CUDA", file="any", provider="cuda"),
    "tensorrt": Candidate("deployed ONNX, TensorRT", file="any", provider="tensorrt"),
}


def candidate_from_name(name: str) -> Candidate:
    """Return the candidate of a name; raises DRSformerError for an unknown name."""
    if name not in CANDIDATES:
        raise DRSformerError(
            f"unknown candidate {name!r}; expected some of {', '.join(CANDIDATES)}"
        )
    return CANDIDATES[name]


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
