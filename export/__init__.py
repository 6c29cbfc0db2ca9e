"""Checkpoint to validated ONNX: the deployment form, its export and its proof."""
