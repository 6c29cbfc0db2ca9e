"""ONNX file to engine: shapes, network, build, audit, manifest."""
