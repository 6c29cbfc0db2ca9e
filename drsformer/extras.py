"""The extras of this package: which one brings a module, and how to install one.

The package is on no index, so a message that said `pip install 'drs-export[rtx]'` would not work.
"""

# a module that may be missing, and the smallest extra that brings it
EXTRA_OF = {
    "onnx": "onnx",
    "onnx_ir": "onnx",
    "ml_dtypes": "onnx",
    "polygraphy": "onnx",
    "torch": "export",
    "onnxscript": "export",
    "safetensors": "export",
}


def installing(extras: str) -> str:
    """Return how to install extras, such as "onnx,rtx", as the end of a sentence."""
    name = "extra" if "," not in extras else "extras"
    return (
        f"install the {name} {extras}: in a checkout, pip install -c constraints.txt '.[{extras}]'"
    )
