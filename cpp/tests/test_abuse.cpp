// Calls that are wrong, in every way that we could think of: each gives a status and one sentence,
// nothing crashes, and the derainer can be used afterwards.
#include <climits>
#include <cstring>
#include <functional>

#include "double_model.hpp"

using namespace drsformer;

namespace {

// The pixels and the models that the cases share.
struct Stage {
    TemporaryFolder folder;
    std::vector<uint8_t> pixels = some_pixels(64 * 64 * 8);
    drs_derainer *derainer = open_double(folder, "dtype float32");
    drs_derainer *of_pixels = open_double(folder, "dtype uint8");
    drs_derainer *closed = open_double(folder, "dtype float32");

    Stage() { drs_close(closed); }
    ~Stage() {
        drs_close(derainer);
        drs_close(of_pixels);
    }
    Stage(const Stage &) = delete;
    Stage &operator=(const Stage &) = delete;

    drs_image image(int32_t width, int32_t height, int32_t format) {
        return drs_image_of(pixels.data(), width, height, format);
    }
};

// Checks one wrong call: its status, and a part of its sentence.
void expect(const char *name, const std::function<drs_status(drs_error *)> &call, drs_status status,
            const std::string &part) {
    drs_error error = DRS_ERROR_INIT;
    const drs_status found = call(&error);
    const std::string message = error.message;
    check(found == status && error.status == status,
          std::string(name) + ": status " + std::to_string(found) + ", \"" + message + "\"",
          __FILE__, __LINE__);
    check(message.find(part) != std::string::npos,
          std::string(name) + ": no \"" + part + "\" in \"" + message + "\"", __FILE__, __LINE__);
    check(message.find('\n') == std::string::npos && message.size() > 10, name, __FILE__, __LINE__);
    check(call(nullptr) == status, std::string(name) + " without an error", __FILE__, __LINE__);
}

drs_status open(const std::string &path, const drs_options *options, drs_error *error) {
    drs_derainer *derainer = reinterpret_cast<drs_derainer *>(1);
    const drs_status status = drs_open(path.c_str(), options, &derainer, error);
    if (status != DRS_OK) CHECK(derainer == nullptr);
    if (status == DRS_OK) drs_close(derainer);
    return status;
}

void wrong_files(Stage &stage) {
    const auto refused = [&](const char *name, const std::string &text, drs_status status,
                             const std::string &part) {
        const auto path = stage.folder / name;
        write_file(path, text);
        expect(name, [&](drs_error *e) { return open(path, nullptr, e); }, status, part);
    };
    const auto missing = stage.folder / "missing.onnx";
    expect(
        "missing", [&](drs_error *e) { return open(missing, nullptr, e); }, DRS_MODEL_ERROR,
        "No such file");
    expect(
        "folder", [&](drs_error *e) { return open(stage.folder / "", nullptr, e); },
        DRS_MODEL_ERROR, "not a regular file");
    expect(
        "device", [&](drs_error *e) { return open("/dev/zero", nullptr, e); }, DRS_MODEL_ERROR,
        "not a regular file");
    expect(
        "no name", [&](drs_error *e) { return open("", nullptr, e); }, DRS_INVALID_ARGUMENT,
        "path is empty");
    refused("empty.onnx", "", DRS_MODEL_ERROR, "is empty");
    refused("broken.onnx", "broken 1", DRS_MODEL_ERROR, "not a usable ONNX model: it is broken");
    refused("foreign.onnx", "contract none", DRS_MODEL_ERROR, "without our 'contract' metadata");
    refused("list.onnx", "contract []", DRS_MODEL_ERROR, "its contract cannot be read");
    refused("text.onnx", "contract {", DRS_MODEL_ERROR, "its contract cannot be read");
    refused("deep.onnx", "contract " + std::string(60000, '['), DRS_MODEL_ERROR, "cannot be read");
    refused("long.onnx", "contract " + std::string(70000, ' '), DRS_MODEL_ERROR, "longer");
    refused("extra.onnx", R"(contract {"value_range": [0, 1], "x": 1})", DRS_MODEL_ERROR, "'x'");
    refused("other.onnx", R"(contract {"value_range": [0, 1], "layout": "NHWC"})", DRS_MODEL_ERROR,
            "its contract says layout = 'NHWC'");
    refused("dtype.onnx", R"(contract {"value_range": [0, 1], "dtype": {"a": 1}})", DRS_MODEL_ERROR,
            "its contract says dtype = an object");
    refused("type.onnx", "dtype uint8\ncontract {\"value_range\": [0, 1]}", DRS_MODEL_ERROR,
            "its contract says input: float32");
    refused("huge.onnx", "height 2147483647\nwidth 8", DRS_MODEL_ERROR, "sizes of at most");
    refused("lonely.engine", "engine", DRS_ENGINE_ERROR, "has no manifest");
    write_file(stage.folder / "odd.engine.json", "{}");
    refused("odd.engine", "engine", DRS_ENGINE_ERROR, "is not a manifest");
}

void wrong_options(Stage &stage) {
    const auto path = stage.folder / "good.onnx";
    write_file(path, "dtype float32");
    const auto refused = [&](const char *name, const std::function<void(drs_options &)> &change,
                             drs_status status, const std::string &part) {
        drs_options options = DRS_OPTIONS_INIT;
        change(options);
        expect(name, [&](drs_error *e) { return open(path, &options, e); }, status, part);
    };
    using O = drs_options;
    const std::string long_name(100000, 'x');
    refused("provider", [](O &o) { o.provider = "npu"; }, DRS_PROVIDER_ERROR, "unknown provider");
    refused(
        "long provider", [&](O &o) { o.provider = long_name.c_str(); }, DRS_PROVIDER_ERROR,
        "unknown provider");
    refused(
        "engine provider", [](O &o) { o.provider = "tensorrt_rtx"; }, DRS_PROVIDER_ERROR,
        "runs engines");
    refused(
        "backend missing", [](O &o) { o.provider = "openvino"; }, DRS_PROVIDER_ERROR,
        "libdrsformer_openvino.so is not in");
    refused("modules", [](O &o) { o.modules = "/nowhere"; }, DRS_PROVIDER_ERROR, "/nowhere");
    refused("precision", [](O &o) { o.precision = "fp8"; }, DRS_PROVIDER_ERROR, "fp32 or bf16");
    refused("bf16", [](O &o) { o.precision = "bf16"; }, DRS_PROVIDER_ERROR, "'openvino' only");
    refused("threads", [](O &o) { o.threads = 100000; }, DRS_PROVIDER_ERROR, "1 to 1024");
    refused("no threads", [](O &o) { o.threads = -1; }, DRS_PROVIDER_ERROR, "1 to 1024");
    refused("device", [](O &o) { o.device = 1; }, DRS_PROVIDER_ERROR, "does not run on CUDA");
    refused("no device", [](O &o) { o.device = -2; }, DRS_PROVIDER_ERROR, "CUDA ordinal");
    refused("tile", [](O &o) { o.tile = 100; }, DRS_SHAPE_ERROR, "multiple of 8");
    refused("negative tile", [](O &o) { o.tile = -8; }, DRS_SHAPE_ERROR, "multiple of 8");
    refused("overlap", [](O &o) { o.tile = 32; }, DRS_SHAPE_ERROR, "expected 0 to 31");
    refused("blend", [](O &o) { o.blend = 7; }, DRS_SHAPE_ERROR, "blend is 7");
    refused("old options", [](O &o) { o.struct_size = 4; }, DRS_INVALID_ARGUMENT, "struct_size 4");
}

void wrong_images(Stage &stage) {
    const auto refused = [&](const char *name, const drs_image &rainy, const drs_image &clean,
                             drs_status status, const std::string &part) {
        expect(
            name,
            [&](drs_error *e) { return drs_derain(stage.derainer, &rainy, &clean, nullptr, e); },
            status, part);
    };
    const auto changed = [&](const std::function<void(drs_image &)> &change, int32_t format) {
        drs_image image = stage.image(16, 16, format);
        change(image);
        return image;
    };
    const auto both = [&](const char *name, int32_t format,
                          const std::function<void(drs_image &)> &change, drs_status status,
                          const std::string &part) {
        const drs_image image = changed(change, format);
        refused(name, image, image, status, part);
    };
    using I = drs_image;
    both("no pixels", DRS_RGB8, [](I &i) { i.data = nullptr; }, DRS_INVALID_ARGUMENT, "no pixels");
    both("format", DRS_RGB8, [](I &i) { i.format = 99; }, DRS_INVALID_ARGUMENT, "format 99");
    both("no format", DRS_RGB8, [](I &i) { i.format = 0; }, DRS_INVALID_ARGUMENT, "format 0");
    both(
        "old image", DRS_RGB8, [](I &i) { i.struct_size = 0; }, DRS_INVALID_ARGUMENT,
        "struct_size");
    both("zero width", DRS_RGB8, [](I &i) { i.width = 0; }, DRS_SHAPE_ERROR, "at least one pixel");
    both("negative", DRS_RGB8, [](I &i) { i.height = -5; }, DRS_SHAPE_ERROR, "at least one pixel");
    both("least", DRS_RGB8, [](I &i) { i.width = i.height = INT32_MIN; }, DRS_SHAPE_ERROR, "least");
    both(
        "overflow", DRS_RGBA16,
        [](I &i) {
            i.width = i.height = 1 << 20;
            i.stride = SIZE_MAX / 4;
        },
        DRS_SHAPE_ERROR, "more bytes");
    both(
        "product", DRS_RGBA16, [](I &i) { i.width = i.height = INT32_MAX; }, DRS_SHAPE_ERROR,
        "expected at most");
    both(
        "long side", DRS_RGB8,
        [](I &i) {
            i.width = INT32_MAX;
            i.height = 1;
        },
        DRS_SHAPE_ERROR, "expected at most");
    both("stride", DRS_RGB8, [](I &i) { i.stride = 47; }, DRS_INVALID_ARGUMENT, "stride of 47");
    both("huge stride", DRS_RGB8, [](I &i) { i.stride = SIZE_MAX; }, DRS_SHAPE_ERROR, "more bytes");
    both("odd stride", DRS_RGB16, [](I &i) { i.stride = 97; }, DRS_INVALID_ARGUMENT, "even stride");
    both(
        "odd address", DRS_RGB16, [](I &i) { i.data = static_cast<uint8_t *>(i.data) + 1; },
        DRS_INVALID_ARGUMENT, "odd address");
    both("odd YUYV", DRS_YUYV, [](I &i) { i.width = 15; }, DRS_SHAPE_ERROR, "even width of YUYV");
    both("odd NV12", DRS_NV12, [](I &i) { i.height = 15; }, DRS_SHAPE_ERROR, "even sides");
    both("matrix", DRS_NV12, [](I &i) { i.matrix = 9; }, DRS_INVALID_ARGUMENT, "matrix 9");
    both("range", DRS_YUYV, [](I &i) { i.range = -1; }, DRS_INVALID_ARGUMENT, "range -1");
    both(
        "chroma stride", DRS_NV12, [](I &i) { i.chroma_stride = 3; }, DRS_INVALID_ARGUMENT,
        "stride of 3");

    both(
        "chroma in luma", DRS_NV12, [](I &i) { i.chroma = static_cast<uint8_t *>(i.data) + 64; },
        DRS_INVALID_ARGUMENT, "chroma inside its luma");

    const drs_image image = stage.image(16, 16, DRS_RGB8);
    const auto other = [&](const std::function<void(drs_image &)> &change) {
        return changed(change, DRS_RGB8);
    };
    refused("sizes differ", image, other([](I &i) { i.width = 15; }), DRS_SHAPE_ERROR, "the same");
    refused("bits differ", image, other([](I &i) { i.format = DRS_RGB16; }), DRS_SHAPE_ERROR,
            "16 bits");
    refused("overlap", image, other([](I &i) { i.data = static_cast<uint8_t *>(i.data) + 3; }),
            DRS_INVALID_ARGUMENT, "overlap");
    refused("in place, other format", image, other([](I &i) { i.format = DRS_BGR8; }),
            DRS_INVALID_ARGUMENT, "overlap");
    const drs_image deep = stage.image(8, 8, DRS_RGB16);
    expect(
        "16 bits for a model of pixels",
        [&](drs_error *e) { return drs_derain(stage.of_pixels, &deep, &deep, nullptr, e); },
        DRS_SHAPE_ERROR, "takes 8-bit pixels");
    const drs_image pair[] = {image, image};
    expect(
        "batch overlaps",
        [&](drs_error *e) { return drs_derain_batch(stage.derainer, pair, pair, 2, nullptr, e); },
        DRS_INVALID_ARGUMENT, "overlaps image 2");
    const drs_image second_wrong[] = {image, other([](I &i) { i.width = 0; })};
    expect(
        "batch's second",
        [&](drs_error *e) {
            return drs_derain_batch(stage.derainer, second_wrong, second_wrong, 2, nullptr, e);
        },
        DRS_SHAPE_ERROR, "rainy image 2");
}

void null_pointers(Stage &stage) {
    drs_derainer *const d = stage.derainer;
    const drs_image image = stage.image(8, 8, DRS_RGB8);
    drs_image writable = image;
    const auto null = [](const char *name, const std::function<drs_status(drs_error *)> &call) {
        expect(name, call, DRS_INVALID_ARGUMENT, "null pointer");
    };
    null("open, handle", [](drs_error *e) { return drs_open("x", nullptr, nullptr, e); });
    drs_derainer *opened = nullptr;
    null("open, path", [&](drs_error *e) { return drs_open(nullptr, nullptr, &opened, e); });
    null("derainer", [&](drs_error *e) { return drs_derain(nullptr, &image, &image, nullptr, e); });
    null("rainy", [&](drs_error *e) { return drs_derain(d, nullptr, &image, nullptr, e); });
    null("clean", [&](drs_error *e) { return drs_derain(d, &image, nullptr, nullptr, e); });
    null("batch",
         [&](drs_error *e) { return drs_derain_batch(d, nullptr, &image, 1, nullptr, e); });
    null("info", [&](drs_error *e) { return drs_get_info(d, nullptr, e); });
    null("plan", [&](drs_error *e) { return drs_get_plan(d, 8, 8, nullptr, e); });
    null("timings", [&](drs_error *e) { return drs_get_timings(d, nullptr, e); });
    null("camera open", [&](drs_error *e) { return drs_camera_open(d, nullptr, e); });
    null("camera", [&](drs_error *e) { return drs_camera_submit(nullptr, &image, 0, e); });
    null("wait", [&](drs_error *e) { return drs_camera_wait(nullptr, &writable, nullptr, 0, e); });
    null("counts", [&](drs_error *e) { return drs_camera_get_counts(nullptr, nullptr, e); });
    null("device", [&](drs_error *e) {
        return drs_run_on_device(d, nullptr, &writable, 1, 8, 8, nullptr, e);
    });
    drs_close(nullptr);
    drs_camera_close(nullptr);
}

void closed_handles(Stage &stage) {
    drs_derainer *const closed = stage.closed;
    const drs_image image = stage.image(8, 8, DRS_RGB8);
    drs_info info = {};
    info.struct_size = sizeof info;
    drs_camera *camera = nullptr;
    const auto refused = [](const char *name, const std::function<drs_status(drs_error *)> &call) {
        expect(name, call, DRS_CLOSED, "is not open");
    };
    refused("derain", [&](drs_error *e) { return drs_derain(closed, &image, &image, nullptr, e); });
    refused("batch",
            [&](drs_error *e) { return drs_derain_batch(closed, &image, &image, 1, nullptr, e); });
    refused("warm up", [&](drs_error *e) { return drs_warm_up(closed, 8, 8, e); });
    refused("cancel", [&](drs_error *e) { return drs_cancel(closed, e); });
    refused("info", [&](drs_error *e) { return drs_get_info(closed, &info, e); });
    refused("camera", [&](drs_error *e) { return drs_camera_open(closed, &camera, e); });
    refused("never opened", [&](drs_error *e) {
        return drs_cancel(reinterpret_cast<drs_derainer *>(stage.pixels.data()), e);
    });
    drs_close(closed);
    CHECK(drs_camera_open(stage.derainer, &camera, nullptr) == DRS_OK);
    refused("a camera's handle",
            [&](drs_error *e) { return drs_cancel(reinterpret_cast<drs_derainer *>(camera), e); });
    drs_camera_close(camera);
    refused("closed camera", [&](drs_error *e) { return drs_camera_submit(camera, &image, 0, e); });
    drs_camera_close(camera);
}

void wrong_sizes_and_runs(Stage &stage) {
    drs_plan plan = {};
    plan.struct_size = sizeof plan;
    expect(
        "plan of nothing",
        [&](drs_error *e) { return drs_get_plan(stage.derainer, 0, 8, &plan, e); }, DRS_SHAPE_ERROR,
        "0x8");
    plan.struct_size = 2;
    expect(
        "old plan", [&](drs_error *e) { return drs_get_plan(stage.derainer, 8, 8, &plan, e); },
        DRS_INVALID_ARGUMENT, "struct_size 2");
    expect(
        "warm up", [&](drs_error *e) { return drs_warm_up(stage.derainer, INT_MAX, INT_MAX, e); },
        DRS_SHAPE_ERROR, "expected");
    int32_t tensor = 0;
    expect(
        "tensors on a CPU",
        [&](drs_error *e) {
            return drs_run_on_device(stage.derainer, &tensor, &tensor, 1, 8, 8, nullptr, e);
        },
        DRS_PROVIDER_ERROR, "takes no tensors of the GPU");
    const drs_image image = stage.image(16, 16, DRS_RGB8);
    drs_derainer *nan = open_double(stage.folder, "nan 1");
    expect(
        "NaN", [&](drs_error *e) { return drs_derain(nan, &image, &image, nullptr, e); },
        DRS_MODEL_ERROR, "gave NaN or Inf");
    drs_close(nan);
    drs_options options = DRS_OPTIONS_INIT;
    options.tile = 64;
    drs_derainer *tiled = open_double(stage.folder, "dtype float32", options);
    const drs_image flat = stage.image(64, 16, DRS_RGB8);
    expect(
        "tiles and overlap",
        [&](drs_error *e) { return drs_derain(tiled, &flat, &flat, nullptr, e); }, DRS_SHAPE_ERROR,
        "not more than the overlap of 32");
    drs_close(tiled);
    options.tile = 16;
    options.overlap = 8;
    drs_derainer *fixed = open_double(stage.folder, "height 32\nwidth 32", options);
    expect(
        "tiles of another size",
        [&](drs_error *e) { return drs_derain(fixed, &flat, &flat, nullptr, e); }, DRS_SHAPE_ERROR,
        "was exported for 32x32 only");
    expect(
        "a plan of tiles of another size",
        [&](drs_error *e) {
            plan.struct_size = sizeof plan;
            return drs_get_plan(fixed, 64, 64, &plan, e);
        },
        DRS_SHAPE_ERROR, "was exported for 32x32 only");
    drs_close(fixed);
}

// A run that fails leaves the pixels as they were, and the next one is right.
void failing_runs(Stage &stage) {
    drs_options options = DRS_OPTIONS_INIT;
    options.tile = 8;
    options.overlap = -1;
    drs_derainer *derainer = open_double(stage.folder, "fail_at 3", options);
    const auto before = stage.pixels;
    const drs_image image = stage.image(16, 16, DRS_RGB8);
    drs_error error = DRS_ERROR_INIT;
    CHECK(drs_derain(derainer, &image, &image, nullptr, &error) == DRS_MODEL_ERROR);
    CHECK(std::strstr(error.message, "failed on an input of shape (1, 3, 8, 8): the run was made"));
    CHECK(stage.pixels == before);
    CHECK(drs_derain(derainer, &image, &image, nullptr, &error) == DRS_OK);
    CHECK(error.message[0] == '\0' && error.status == DRS_OK && stage.pixels != before);
    drs_close(derainer);
}

// An error of any size gets what fits into it.
void small_errors() {
    drs_derainer *derainer = nullptr;
    for (const uint32_t room : {1U, 2U, 20U, 1000U}) {
        drs_error error = DRS_ERROR_INIT;
        std::memset(error.message, 'x', sizeof error.message);
        error.struct_size = static_cast<uint32_t>(offsetof(drs_error, message)) + room;
        drs_open("/missing", nullptr, &derainer, &error);
        CHECK(std::strlen(error.message) < room);
        if (room < sizeof error.message) CHECK(error.message[room] == 'x');
    }
    drs_error none = DRS_ERROR_INIT;
    none.struct_size = 0;
    CHECK(drs_open("/missing", nullptr, &derainer, &none) == DRS_MODEL_ERROR);
    CHECK(std::strlen(none.message) > 10);  // zeroed as a whole
}

}  // namespace

int main() {
    Stage stage;
    wrong_files(stage);
    wrong_options(stage);
    wrong_images(stage);
    null_pointers(stage);
    closed_handles(stage);
    wrong_sizes_and_runs(stage);
    failing_runs(stage);
    small_errors();
    const drs_image image = stage.image(16, 16, DRS_RGB8);
    CHECK(drs_derain(stage.derainer, &image, &image, nullptr, nullptr) == DRS_OK);
    return checks_result();
}
