"""Opens models in memory in ONNX Runtime on the CPU, to check what they compute.

The runtime's own backend opens files, to be fast; this is for proofs and measurements.
"""

import onnx
import onnxruntime as ort

FATAL_ONLY = 4  # ONNX Runtime's log level: each of its errors reaches us as an exception too


def cpu_session(
    proto: onnx.ModelProto, threads: int | None = None, *, keep_copies: bool = False
) -> ort.InferenceSession:
    """Open a model.

    Args:
        proto: the model.
        threads: of ONNX Runtime; None for one per core.
        keep_copies: leave equal nodes apart, which a simulated precision needs: each reader then
            widens its own copy of a tensor, and frees it.
    """
    options = ort.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    # idle threads leave their core to others, and a second run of a size takes no more memory
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False
    if threads is not None:
        options.intra_op_num_threads = threads
    return ort.InferenceSession(
        proto.SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["CommonSubexpressionElimination"] if keep_copies else None,
    )
