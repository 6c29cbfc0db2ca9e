"""How large each tensor gets on real images, as histograms of bounded size.

Tensors are made outputs of the graph, a few at a time (`BYTES_AT_ONCE`), and each is dropped once
it is counted: memory does not grow with the number of images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray

from drsformer.context import QUIET, Context
from drsformer.contract import CONTRACT, Image, input_from_image
from drsformer.errors import CalibrationError
from drsformer.export.cpu_session import cpu_session

BINS = 2048
COUNTED_AT_MOST = 2**17  # values of one tensor and image; the maximum is taken over all values
BYTES_AT_ONCE = 10**9


@dataclass
class Histogram:
    """Magnitudes of one tensor, from 0 to `top` in `BINS` bins.

    Attributes:
        largest: the largest magnitude seen, exactly.
        top: upper end of the last bin; a power of two times the first image's largest.
        counts: values by bin.
    """

    largest: float = 0.0
    top: float = 0.0
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, values: NDArray[np.float32]) -> None:
        """Count the values of one image; of a large tensor, every n-th value."""
        magnitudes = np.abs(values.reshape(-1))
        largest = float(magnitudes.max())
        self.largest = max(self.largest, largest)
        if self.top == 0.0:
            self.top = largest
        while 0.0 < self.top < largest:  # two bins become one
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.concatenate([merged, np.zeros(BINS // 2, np.int64)])
            self.top *= 2
        step = -(-magnitudes.size // COUNTED_AT_MOST)
        if self.top > 0.0:
            self.counts += np.histogram(magnitudes[::step], BINS, (0.0, self.top))[0]

    @property
    def centres(self) -> NDArray[np.float64]:
        """The magnitude that each bin stands for."""
        return np.asarray((np.arange(BINS) + 0.5) * (self.top / BINS), np.float64)


def histograms(
    proto: onnx.ModelProto,
    names: Sequence[str],
    images: Sequence[Image],
    *,
    threads: int | None = None,
    context: Context = QUIET,
) -> dict[str, Histogram]:
    """Run a model on images of one size and count the magnitudes of its tensors.

    Args:
        proto: the float32 model.
        names: of the tensors to count.
        images: uint8 (H, W, 3), RGB, all of one shape.
        threads: of ONNX Runtime; by default all cores.
        context: told the progress.

    Returns:
        A histogram by tensor name.

    Raises:
        CalibrationError: a tensor holds NaN or Inf.
    """
    batches = [input_from_image(image) for image in images]
    found = {name: Histogram() for name in names}
    groups = list(_groups(names, _sizes(proto, batches[0].shape)))
    for part, group in enumerate(groups, 1):
        session = cpu_session(_with_outputs(proto, group), threads, keep_copies=True)
        context.step(f"calibrating, part {part} of {len(groups)} of the tensors")
        for number, batch in enumerate(batches, 1):
            outputs = session.run(group, {CONTRACT.input_name: batch})
            for name in reversed(group):
                found[name].add(_finite(outputs.pop(), name, number))
            context.advance(number, len(batches))
        del session  # before the next one is opened
    return found


def _finite(values: NDArray[np.float32], name: str, number: int) -> NDArray[np.float32]:
    if not np.isfinite(values).all():
        raise CalibrationError(
            f"{name} holds NaN or Inf on calibration image {number}; the float32 model is broken, "
            "validate it with `drs-export validate`"
        )
    return values


def _sizes(proto: onnx.ModelProto, shape: tuple[int, ...]) -> dict[str, int]:
    """Return the bytes of each tensor for an input shape."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(proto)
    for dim, size in zip(fixed.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        dim.dim_value = size
    del fixed.graph.value_info[:]  # symbolic sizes would win over the inferred ones
    inferred = onnx.shape_inference.infer_shapes(fixed, data_prop=True)
    return {
        value.name: 4 * prod(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in inferred.graph.value_info
    }


def _groups(names: Sequence[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Split names into groups whose tensors take at most `BYTES_AT_ONCE`."""
    group: list[str] = []
    for name in names:
        if group and sum(sizes.get(n, 0) for n in (*group, name)) > BYTES_AT_ONCE:
            yield group
            group = []
        group.append(name)
    if group:
        yield group


def _with_outputs(proto: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    for name in names:
        made.graph.output.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        )
    return made
