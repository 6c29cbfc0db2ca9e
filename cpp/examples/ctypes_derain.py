"""Derains a picture from another language: Python's ctypes over the C header, without bindings.

    python ctypes_derain.py libdrsformer.so MODEL rainy.ppm clean.ppm
    python ctypes_derain.py --check drs_abi    # compares the structs below with the C compiler's

Needs numpy; not the package drs-export.
"""

import ctypes as c
import re
import subprocess
import sys

import numpy as np

ABI_VERSION = 1
RGB8 = 1


class Sized(c.Structure):
    """A struct that begins with its size."""

    def __init__(self, **values):
        super().__init__(struct_size=c.sizeof(self), **values)


def struct(name, fields):
    """Make a struct of "name:type" words, where i is int32_t, p a pointer, z a size and so on."""
    types = {"i": c.c_int32, "p": c.c_void_p, "s": c.c_char_p, "z": c.c_size_t, "d": c.c_double}
    types |= {"u": c.c_uint32, "Q": c.c_uint64, "1024": c.c_char * 1024}
    types |= {"32": c.c_char * 32, "16": c.c_char * 16}
    pairs = [field.split(":") for field in f"struct_size:u {fields}".split()]
    return type(name, (Sized,), {"_fields_": [(field, types[kind]) for field, kind in pairs]})


Error = struct("drs_error", "status:i message:1024")
Options = struct(
    "drs_options",
    "threads:i provider:s precision:s device:i tile:i overlap:i blend:i modules:s "
    "onnxruntime_library:s cache:s on_message:p user:p",
)
Image = struct(
    "drs_image",
    "format:i width:i height:i data:p stride:z chroma:p chroma_stride:z matrix:i range:i",
)
Call = struct("drs_call", "on_tile:p user:p")
Info = struct(
    "drs_info",
    "is_engine:i takes_pixels:i least_width:i least_height:i most_width:i most_height:i "
    "most_images:i provider:32 dtype:16",
)
Plan = struct("drs_plan", "reason:i tile_width:i tile_height:i columns:i rows:i")
Timings = struct("drs_timings", "runs:i total_seconds:d backend_seconds:d")
CameraCounts = struct(
    "drs_camera_counts", "reserved:u submitted:Q derained:Q failed:Q dropped:Q not_collected:Q"
)
STRUCTS = (Error, Options, Image, Call, Info, Plan, Timings, CameraCounts)


class Derainer:
    """An opened model."""

    def __init__(self, drsformer, model, **options):
        self.functions = c.CDLL(drsformer)
        version = self.functions.drs_abi_version()
        if version != ABI_VERSION:
            raise RuntimeError(f"{drsformer} has ABI version {version}; expected {ABI_VERSION}")
        self.handle, chosen = c.c_void_p(), Options(**options)
        self.call("drs_open", model.encode(), c.byref(chosen), c.byref(self.handle))

    def call(self, function, *arguments):
        error = Error()
        if getattr(self.functions, function)(*arguments, c.byref(error)):
            raise RuntimeError(error.message.decode())

    def derain(self, rainy):
        """Return the derained (height, width, 3) uint8 array."""
        clean = np.ascontiguousarray(rainy).copy()
        height, width, _ = clean.shape
        image = Image(format=RGB8, width=width, height=height, data=clean.ctypes.data)
        self.call("drs_derain", self.handle, c.byref(image), c.byref(image), None)
        return clean

    def close(self):
        self.functions.drs_close(self.handle)


def layout():
    """Return the lines that drs_abi should print."""
    for one in STRUCTS:
        yield f"{one.__name__} {c.sizeof(one)}"
        for name, _ in one._fields_:
            field = getattr(one, name)
            yield f"{one.__name__}.{name} {field.offset} {field.size}"


def check(program):
    """Exit with an error where a struct lies otherwise in memory than here."""
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    ours, theirs = set(layout()), set(printed.splitlines())
    if ours != theirs:
        different = [f"here: {line}" for line in sorted(ours - theirs)]
        different += [f"in C: {line}" for line in sorted(theirs - ours)]
        sys.exit("\n".join(["the structs differ:", *different]))
    sys.stdout.write(f"all {len(STRUCTS)} structs agree with the C compiler's\n")


def main(library, model, rainy, clean):
    """Derain a binary PPM file of 8 bits without comments."""
    with open(rainy, "rb") as file:
        content = file.read()
    header = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", content)
    if not header:
        sys.exit(f"{rainy} is not a binary PPM file of 8 bits")
    width, height = map(int, header.groups())
    image = np.frombuffer(content, np.uint8, width * height * 3, header.end())
    derainer = Derainer(library, model)
    result = derainer.derain(image.reshape(height, width, 3))
    derainer.close()
    with open(clean, "wb") as file:
        file.write(header.group() + result.tobytes())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(sys.argv[2])
    else:
        main(*sys.argv[1:])
