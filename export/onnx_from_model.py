"""Exports a network in memory to an ONNX model in memory; it writes no file.

Why opset 18 is the default: the parser of TensorRT 10.0 takes opsets 9 to 20, that of 11.x takes
9 to 25, and ONNX Runtime takes all of these. From 18 on, reductions keep the same form, so a
precision that needs a later opset (FP8: 19, BF16: 22) changes no node. See docs/decisions.md.
"""

import json
import logging
import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import onnx
import onnx_ir as ir
import torch

from drsformer import __version__
from drsformer.contract import CONTRACT, METADATA_KEY
from drsformer.errors import ExportError
from drsformer.model import DRSformer

from .deployment import REWRITES, Runtime, deployment_from_model
from .graph import check_valid, set_metadata
from .onnx_ops import OnnxOps

DEFAULT_OPSET = 18
OPSETS = range(17, 26)
MOST_IMAGES = 1024
LONGEST_SIDE = 2**15  # pixels


@dataclass(frozen=True)
class ExportSettings:
    """What the user can choose about the ONNX file.

    Attributes:
        opset: version of the standard operator set, 17 to 25.
        batch: fixed batch size, 1 to 1024, or None for a dynamic one.
        height: fixed height, pixels, a multiple of 8 up to 32768, or None for a dynamic one.
        width: fixed width, pixels, a multiple of 8 up to 32768, or None for a dynamic one.
        plain: export the plain network, with PyTorch's own exporter.
        runtime: the runtime that the graph is shaped for; the file runs in the others too.
        io: type of input and output; "uint8" puts scaling, layout, clamping and rounding into the
            graph.
    """

    opset: int = DEFAULT_OPSET
    batch: int | None = None
    height: int | None = None
    width: int | None = None
    plain: bool = False
    runtime: Runtime = "any"
    io: Literal["float32", "uint8"] = "float32"

    def __post_init__(self) -> None:
        """Raise an ExportError for settings that no file can have."""
        if self.opset not in OPSETS:
            raise ExportError(
                f"opset {self.opset} is not supported; choose {OPSETS[0]} to {OPSETS[-1]} "
                f"(default {DEFAULT_OPSET}, which TensorRT 10.3 to 11 and ONNX Runtime take)"
            )
        if self.batch is not None and not 1 <= self.batch <= MOST_IMAGES:
            raise ExportError(f"batch {self.batch} must be 1 to {MOST_IMAGES}")
        multiple = CONTRACT.multiple_of
        for name, size in (("height", self.height), ("width", self.width)):
            if size is not None and (not multiple <= size <= LONGEST_SIDE or size % multiple):
                raise ExportError(
                    f"{name} {size} must be a multiple of {multiple}, up to {LONGEST_SIDE}"
                )
        if self.runtime not in get_args(Runtime):
            raise ExportError(f"runtime {self.runtime!r} must be {' or '.join(get_args(Runtime))}")
        if self.plain and self.runtime != "any":
            raise ExportError("a plain export is the same for every runtime; give no runtime")
        if self.plain and (self.batch or 2) * (self.height or 64) * (self.width or 80) > 2**20:
            raise ExportError(
                "a plain export is traced and validated at its fixed sizes, and these are too "
                "large for that; leave batch or size dynamic"
            )

    @property
    def shape(self) -> tuple[int | str, int, int | str, int | str]:
        """The shape of the input; a fixed size is a number, a dynamic one a name."""
        return (self.batch or "batch", 3, self.height or "height", self.width or "width")


def onnx_from_model(
    model: DRSformer, settings: ExportSettings, provenance: dict[str, str]
) -> onnx.ModelProto:
    """Export a network.

    Args:
        model: the plain network with its weights, in eval mode.
        settings: opset, fixed sizes, form, runtime; `io` has no effect here.
        provenance: metadata about the source by key, such as the checkpoint's SHA-256.

    Returns:
        A checked model with one float32 input and one float32 output (N, 3, H, W), named by the
        contract. The same network and settings give the same bytes.

    Raises:
        ExportError: a rewrite does not apply, or the ONNX checker refuses the result.
    """
    exported = _plain_model(model, settings) if settings.plain else _deployed_model(model, settings)
    exported.producer_name, exported.producer_version = "drs-export", __version__
    metadata = provenance | {
        METADATA_KEY: CONTRACT.to_json(),
        "config": json.dumps(model.config.to_dict(), sort_keys=True),
        "drs_export_version": __version__,
        "form": "plain" if settings.plain else "deployed",
        "target": settings.runtime,
        "rewrites": json.dumps([] if settings.plain else list(REWRITES)),
    }
    set_metadata(exported, metadata)
    check_valid(exported, "the exported graph")
    return exported


def _deployed_model(model: DRSformer, settings: ExportSettings) -> onnx.ModelProto:
    """Record the deployment form as an ONNX graph."""
    ops = OnnxOps(settings.opset)
    image = ir.Value(
        name=CONTRACT.input_name,
        shape=ir.Shape(settings.shape),
        type=ir.TensorType(ir.DataType.FLOAT),
    )
    with torch.no_grad():
        output: ir.Value = deployment_from_model(model, settings.runtime)(ops, image)
    output.name = CONTRACT.output_name
    output.shape, output.type = image.shape, image.type
    graph = ir.Graph(
        [image],
        [output],
        nodes=ops.tape.nodes,
        initializers=ops.tape.initializers,
        opset_imports={"": settings.opset},
        name="DRSformer",
    )
    return ir.to_proto(ir.Model(graph, ir_version=_ir_version(settings.opset)))


def _plain_model(model: DRSformer, settings: ExportSettings) -> onnx.ModelProto:
    """Trace the plain network with PyTorch's exporter."""
    multiple = CONTRACT.multiple_of
    batch, height, width = settings.batch or 2, settings.height or 32, settings.width or 40
    image = torch.zeros(batch, 3, height, width)
    dynamic = {
        0: None if settings.batch else torch.export.Dim("batch", min=1),
        2: None if settings.height else multiple * torch.export.Dim("height8", min=1),
        3: None if settings.width else multiple * torch.export.Dim("width8", min=1),
    }
    # the user can do nothing about the exporter's deprecations and optional packages
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (image,),
            input_names=[CONTRACT.input_name],
            output_names=[CONTRACT.output_name],
            opset_version=settings.opset,
            dynamic_shapes=({k: v for k, v in dynamic.items() if v is not None},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _ir_version(opset: int) -> int:
    """Return the oldest version of the file format that has the opset, for old readers."""
    return onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", opset)])
