"""From a typed ONNX file to an engine: shapes, settings, network, audit, build, manifest."""
