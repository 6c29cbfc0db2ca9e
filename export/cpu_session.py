"""Opens a model in memory in ONNX Runtime on the CPU, to check what it computes.

This is for checks and measurements; the runtime room's own backend opens files, to be fast.
"""

import onnx
import onnxruntime as ort

FATAL_ONLY = 4  # ONNX Runtime's log level; each of its errors is also raised as an exception


def cpu_session(
    proto: onnx.ModelProto, threads: int | None = None, *, keep_copies: bool = False
) -> ort.InferenceSession:
    """Open a model.

    Args:
        proto: the model.
        threads: number of threads; None for one per core.
        keep_copies: do not merge equal nodes. A simulated precision needs this: each reader then
            widens its own copy of a tensor, and frees it.
    """
    options = ort.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    # idle threads must leave their core to others, and a second run of a size needs no more memory
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
