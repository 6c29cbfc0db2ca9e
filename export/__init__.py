"""Exports a checkpoint to a validated ONNX file.

Public functions and classes, by module:

    onnx_from_checkpoint    onnx_from_checkpoint, validate_file, Exported
    onnx_from_model         onnx_from_model, ExportSettings
    check_against_pytorch   check_against_pytorch, AgreementReport, TensorComparison
    deployment              deployment_from_model, Runtime
    uint8_io                with_uint8_io, without_uint8_io, has_uint8_io, check_uint8_io
    inspection              describe
    cost                    cost_of_file
    graph                   load_onnx, metadata_of

Import them from their modules. This package imports nothing itself, because `graph` and `cost`
need no torch, and importing torch takes seconds.
"""
