"""TensorRT-RTX takes the typed files as they are: real parsing and real builds, without a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from drsformer.calibration.int8_from_fp32 import int8_from_fp32
from drsformer.calibration.samples import Crops
from drsformer.calibration.scales_from_images import scales_from_images
from drsformer.export.onnx_from_checkpoint import onnx_from_checkpoint
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.export.precision import bf16_from_fp32, fp16_from_fp32, kept_nodes

trt = pytest.importorskip("tensorrt_rtx", reason="the extra [rtx] is not installed")

TARGETS = ("SM86", "SM89", "SM120")
# what a layer may give in float32 without computing in it
NO_ARITHMETIC = {"CONSTANT", "SHUFFLE", "SLICE", "CAST", "GATHER", "CONCATENATION", "UNSQUEEZE",
                 "SQUEEZE", "IDENTITY"}  # fmt: skip


class Log(trt.ILogger):  # type: ignore[misc,name-defined]  # no type information
    """Keeps what TensorRT says."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.lines: list[str] = []

    def log(self, severity: Any, message: str) -> None:
        if severity <= trt.ILogger.WARNING:
            self.lines.append(message)


def parsed(proto: onnx.ModelProto, log: Log) -> tuple[Any, Any, Any]:
    builder = trt.Builder(log)
    network = builder.create_network(0)  # strongly typed: there is no other way
    parser = trt.OnnxParser(network, log)
    assert parser.parse(proto.SerializeToString()), log.lines
    return builder, network, parser


def float32_nodes(network: Any) -> set[str]:
    """Return the ONNX nodes whose layers compute in float32."""
    found = set()
    for i in range(network.num_layers):
        layer = network.get_layer(i)
        types = {str(layer.get_output(j).dtype).split(".")[-1] for j in range(layer.num_outputs)}
        kind = str(layer.type).split(".")[-1]
        if "FLOAT" in types and kind not in NO_ARITHMETIC and layer.metadata:
            found.add(layer.metadata.removeprefix("[ONNX Layer: ").removesuffix("]"))
    return found


def built(proto: onnx.ModelProto, targets: tuple[str, ...], side: int) -> int:
    """Build ahead of time for GPUs that are not here; return the engine's bytes."""
    log = Log()
    builder, network, parser = parsed(proto, log)
    config = builder.create_builder_config()
    config.num_compute_capabilities = len(targets)
    for i, name in enumerate(targets):
        config.set_compute_capability(getattr(trt.ComputeCapability, name), i)
    profile = builder.create_optimization_profile()
    profile.set_shape("input", (1, 3, 64, 64), (1, 3, side, side), (1, 3, side, side))
    config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    assert engine is not None, log.lines
    del parser
    return int(engine.nbytes)


def typed_forms(path: Path) -> dict[str, onnx.ModelProto]:
    proto = onnx.load(path)
    rng = np.random.default_rng(0)
    crops = Crops("noise", tuple(rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(4)))
    scales = scales_from_images(path, crops)
    return {
        "fp16": fp16_from_fp32(proto),
        "bf16": bf16_from_fp32(proto),
        "int8": int8_from_fp32(proto, scales),
    }


@pytest.fixture(scope="module")
def forms(small_onnx: Path) -> dict[str, onnx.ModelProto]:
    return typed_forms(small_onnx)


@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8"])
def test_nothing_computes_in_float32_but_what_is_listed(
    forms: dict[str, onnx.ModelProto], small_onnx: Path, precision: str
) -> None:
    log = Log()
    _, network, _ = parsed(forms[precision], log)
    listed = {kept.node for kept in kept_nodes(onnx.load(small_onnx))}
    found = float32_nodes(network)
    assert found and found <= listed, sorted(found - listed)[:5]
    assert not log.lines


def test_int8_convolutions_read_int8(forms: dict[str, onnx.ModelProto]) -> None:
    _, network, _ = parsed(forms["int8"], Log())
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    kinds = [str(layer.type).split(".")[-1] for layer in layers]
    expected = sum(node.op_type == "QuantizeLinear" for node in forms["int8"].graph.node)
    assert kinds.count("QUANTIZE") == expected > 0


def test_an_engine_is_built_without_a_gpu(forms: dict[str, onnx.ModelProto]) -> None:
    assert built(forms["fp16"], ("SM89",), 128) > 1_000_000


@pytest.mark.slow
def test_full_size_files_build_in_every_precision(
    goldens: Any, tmp_path: Path, record_property: Any
) -> None:
    checkpoint, path = tmp_path / "full.pth", tmp_path / "full.onnx"
    torch.save({"params": goldens["paper_mefc"].state}, checkpoint)
    onnx_from_checkpoint(checkpoint, path, ExportSettings())
    listed = {kept.node for kept in kept_nodes(onnx.load(path))}
    for precision, proto in typed_forms(path).items():
        _, network, _ = parsed(proto, Log())
        assert float32_nodes(network) <= listed
        record_property(precision, f"{built(proto, TARGETS, 512) / 1e6:.1f} MB")
