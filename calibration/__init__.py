"""Lower precisions: scales from images, typed ONNX files from float32 ones, and what they cost.

    crops, photos, rain           images to calibrate and to measure with
    ranges, clipping, scales, scales_from_images
                                  images -> scales
    rules, mixed_precision, quantize, convert
                                  float32 ONNX file (and scales) -> typed ONNX file
    evaluate/                     what a precision costs: on images, by part, on a GPU

Public API, each function in the module named before it:

    crops: crops_from_folder, synthetic_crops, samples_from_folder, synthetic_samples
    scales_from_images: scales_from_images       scales: scales_from_file
    mixed_precision: fp16_from_fp32, bf16_from_fp32
    quantize: quantized_from_fp32                convert: convert_file
    evaluate.evaluator: Evaluator                evaluate.sensitivity: sensitivity
"""
