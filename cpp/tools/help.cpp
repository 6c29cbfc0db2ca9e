#include "options.hpp"

namespace drsformer::tool {

const char *help_text() {
    return R"(Usage: drs-derain MODEL INPUT... -o OUT
       drs-derain MODEL --raw WxH --format FORMAT < rainy > clean

Turns rainy pictures into clean ones.

MODEL is an ONNX file of `drs-export onnx` or `convert`, or an engine of `drs-export trt`. INPUT is
a PNG, PPM or PGM file of 8 or 16 bits, or a folder of them. For a single file OUT is the name of
the new file, whose ending says its format, or a folder; for several, and for a folder, it is a
folder, where the names and the format stay. Channels, bits and alpha are kept; from PNG to PNG the
colour profile, EXIF, resolution and texts too. Pixels are not turned. An existing OUT is replaced,
an input never.

  -o, --output OUT        file or folder to write
  --tile N                longest side of the tiles that pictures are cut into, pixels, a multiple
                          of 8; or "whole" for whole pictures, whatever they take
                          [default: whole pictures where the model takes them and the free memory
                          is enough, else tiles]
  --overlap N             pixels that neighbouring tiles share [default: 32]
  --blend KIND            how tiles are joined: uniform, or feather, which leaves no seams
                          [default: uniform]
  --provider NAME         what runs the model: cpu, cuda, tensorrt, openvino, openvino_gpu,
                          tensorrt_rtx [default: cpu, or an engine's own library]
  --threads N             threads of the backend [default: one per core]
  --precision NAME        fp32, or bf16 with openvino [default: fp32]
  --device N              CUDA ordinal of the GPU [default: 0]
  --modules FOLDER        where the backend modules are [default: beside the library]
  --library FILE          the backend's own library, such as libonnxruntime.so.1
  --cache FOLDER          where OpenVINO keeps what it compiles
  --timings               print the time of each picture or frame, and its share outside the backend
  -v, --verbose           print what runs the model, and each file
  -h, --help, --version   print this, or the version

Raw frames go from the standard input to the standard output, one after the other:

  --raw WxH               width and height, pixels
  --format FORMAT         rgb24, bgr24, gray, yuyv422, nv12 or rgb48le, as FFmpeg calls them
  --matrix NAME           of yuyv422 and nv12: bt601, bt709 or bt2020 [default: bt601]
  --range NAME            of yuyv422 and nv12: limited or full [default: limited]

  ffmpeg -i rainy.mp4 -f rawvideo -pix_fmt rgb24 - |
    drs-derain derain.onnx --raw 1280x720 --format rgb24 |
    ffmpeg -f rawvideo -pix_fmt rgb24 -s 1280x720 -r 25 -i - clean.mp4

A bad file does not stop the others. Exit codes: 0 done; 1 an error of input; 2 wrong usage;
130 and 143 interrupted by Ctrl-C and by SIGTERM; 141 the reader of the frames went away.
No file is left half-written, whatever the exit code.
)";
}

}  // namespace drsformer::tool
