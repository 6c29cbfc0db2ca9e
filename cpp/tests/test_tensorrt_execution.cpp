// Every call that an engine makes of CUDA and TensorRT fails once: one clear error, the model can
// be used again, and in the end nothing is alive.
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "backend.h"
#include "check.hpp"
#include "gpu.hpp"
#include "module.hpp"
#include "readable.hpp"
#include "temporary_folder.hpp"
#include "tensorrt_double/double.hpp"

using namespace drsformer;
using namespace drsformer::tensorrt;
using nlohmann::json;

namespace {

using Floats = std::vector<float>;

const InputShape first = {1, 3, 16, 24};
const InputShape second = {1, 3, 16, 8};
const InputShape third = {2, 3, 8, 8};

// An engine file that the double takes, with the text of its manifest.
struct EngineFile {
    TemporaryFolder folder;
    std::string path = (folder / "x.engine").string();
    json manifest;

    explicit EngineFile(const std::string &flavor = "tensorrt") {
        write_file(path, "engine");
        const json min = {1, 3, 8, 8};
        const json opt = {1, 3, 64, 64};
        const json max = {4, 3, 512, 512};
        manifest = {
            {"engine_sha256", sha256_of(path, DRS_ENGINE_ERROR)},
            {"engine_bytes", 6},
            {"flavor", flavor},
            {"version", "10.7.0"},
            {"precision", "fp32"},
            {"contract", {{"layout", "NCHW"}, {"dtype", "float32"}}},
            {"profiles", json::array({{{"min", min}, {"opt", opt}, {"max", max}}})},
            {"runs_on", {{"compute_capabilities", {"8.9"}}, {"platform", platform_here()}}},
            {"built_on", json::object()},
            {"options", json::object()},
            {"layers", json::object()},
            {"onnx_file", "x.onnx"},
            {"onnx_sha256", std::string(64, '1')},
            {"checkpoint_sha256", ""},
            {"command", ""},
            {"drs_export_version", "0"},
            {"format", 1},
        };
    }
};

// A model by the functions that the module exports.
struct Opened {
    void *model = nullptr;
    drs_error error = DRS_ERROR_INIT;

    drs_status open(const EngineFile &file, int device = 0) {
        const auto text = file.manifest.dump();
        drs_backend_settings settings = {};
        settings.path = file.path.c_str();
        settings.provider = fake().name.c_str();
        settings.manifest = text.c_str();
        settings.device = device;
        return table()->open(&settings, &model, &error);
    }
    drs_status prepare(const InputShape &shape, float **input, float **output) {
        void *in = nullptr;
        void *out = nullptr;
        const auto status = table()->prepare(model, shape.data(), 0, &in, &out, &error);
        *input = static_cast<float *>(in);
        *output = static_cast<float *>(out);
        return status;
    }
    drs_status run() { return table()->run(model, &error); }
    drs_status run_on_device(const void *input, void *output, const InputShape &shape,
                             FakeStream &stream) {
        return table()->run_on_device(model, input, output, shape.data(), &stream, &error);
    }
    void close() {
        if (model != nullptr) table()->close(model);
        model = nullptr;
    }
};

// Memory of the caller's on the GPU.
struct alignas(256) Tensor {
    float values[3 * 16 * 24];
};

std::size_t count_of(const InputShape &shape) {
    return static_cast<std::size_t>(shape[0] * shape[1] * shape[2] * shape[3]);
}

// A whole use of a model, whose steps are tried once more where they fail.
class Use {
  public:
    explicit Use(const EngineFile &file) : file_(file) {}

    // Returns the messages of the steps that failed.
    std::vector<std::string> all() {
        step([this] { return opened_.open(file_); });
        for (const auto &shape : {first, first, first, second, third, first, first}) derain(shape);
        for (const auto &shape : {first, first, second, third}) derain_on_gpu(shape, caller_);
        derain_on_gpu(first, other_);
        free([this] { table()->release(opened_.model); });
        derain(second);
        derain_on_gpu(second, other_);
        free([this] { opened_.close(); });
        drain(caller_);
        drain(other_);
        return messages_;
    }

  private:
    template <typename Step>
    void step(const Step &take) {
        opened_.error = DRS_ERROR_INIT;
        if (take() == DRS_OK) return;
        messages_.emplace_back(opened_.error.message);
        CHECK(opened_.error.status == DRS_ENGINE_ERROR ||
              opened_.error.status == DRS_PROVIDER_ERROR);
        CHECK(take() == DRS_OK);
    }

    template <typename Step>
    static void free(const Step &take) {  // which cannot fail
        fake().freeing = true;
        take();
        fake().freeing = false;
    }

    void derain(const InputShape &shape) {
        float *input = nullptr;
        float *output = nullptr;
        step([&] { return opened_.prepare(shape, &input, &output); });
        if (input == nullptr || output == nullptr) return;
        Floats expected(count_of(shape));
        for (auto &value : expected) value = next_++;
        std::copy(expected.begin(), expected.end(), input);
        step([&] { return opened_.run(); });
        CHECK(std::equal(expected.begin(), expected.end(), output));
    }

    void derain_on_gpu(const InputShape &shape, FakeStream &stream) {
        for (auto &value : input_.values) value = next_++;
        step([&] { return opened_.run_on_device(&input_, &output_, shape, stream); });
        if (&stream == &other_) drain(stream);  // the other stream's work comes as late as it can
        const auto bytes = std::min(count_of(shape) * sizeof(float), sizeof input_);
        CHECK(&stream != &other_ || std::memcmp(&input_, &output_, bytes) == 0);
    }

    const EngineFile &file_;
    Opened opened_;
    std::vector<std::string> messages_;
    FakeStream caller_;
    FakeStream other_;
    Tensor input_ = {};
    Tensor output_ = {};
    float next_ = 0;
};

Double &new_double_of(const std::string &flavor) {
    auto &made = new_double();
    made.name = flavor;
    made.kernels = flavor == "tensorrt_rtx" ? "kernels" : "";
    return made;
}

void check_clean(const std::string &when) {
    CHECK(fake().clean());
    if (!fake().clean()) std::fprintf(stderr, "  %s: %s\n", when.c_str(), fake().report().c_str());
}

void test_without_a_fault_the_output_is_right_and_nothing_is_left(const std::string &flavor) {
    const EngineFile file(flavor);
    const auto &double_ = new_double_of(flavor);
    CHECK(Use(file).all().empty());
    check_clean(flavor);
    CHECK(double_.calls.size() > 100);
    CHECK(double_.launches == (flavor == "tensorrt" ? 3 : 0));
    CHECK(double_.devices == std::set<int>{0} && double_.current_device == 1);
}

void test_every_call_fails_once(const std::string &flavor, int status) {
    const EngineFile file(flavor);
    for (int number = 1;; ++number) {
        auto &double_ = new_double_of(flavor);
        double_.fail_at = number;
        double_.status = status;
        const auto messages = Use(file).all();
        if (static_cast<int>(double_.calls.size()) < number) break;
        const auto call = double_.calls[static_cast<std::size_t>(number - 1)];
        check_clean(std::to_string(number) + " " + call);
        const bool right = messages.size() == (double_.failed_silently() ? 0U : 1U);
        CHECK(right);
        if (!right)
            std::fprintf(stderr, "  %d %s: %zu errors\n", number, call.c_str(), messages.size());
        for (const auto &message : messages) {
            CHECK(message.find('\n') == std::string::npos && message.size() > 60);
            CHECK(message.find("GPU") != std::string::npos || call == "load");
        }
    }
}

// Opens a file, which must fail.
void refuse(const EngineFile &file, drs_status status, const std::string &part, int device = 0) {
    Opened opened;
    const auto found = opened.open(file, device);
    const std::string message = opened.error.message;
    const bool right = found == status && message.find(part) != std::string::npos;
    CHECK(right && opened.model == nullptr && opened.error.status == status);
    if (!right) std::fprintf(stderr, "  expected %s\n  found %s\n", part.c_str(), message.c_str());
    check_clean(part);
}

void test_what_does_not_fit_is_refused_before_the_library_sees_it() {
    auto &double_ = new_double();
    EngineFile file;
    double_.version = "10.8.0";
    refuse(file, DRS_ENGINE_ERROR, "was built by TensorRT 10.7.0, and here is 10.8.0; install");
    double_.version = "10.7.0";
    file.manifest["runs_on"]["platform"] = "linux-riscv";
    refuse(file, DRS_ENGINE_ERROR, "was built on linux-riscv, and here is ");
    file.manifest["runs_on"] = {{"compute_capabilities", {"9.0"}}};
    refuse(file, DRS_ENGINE_ERROR, "of compute capability 9.0, and here is Double with 8.9;");
    refuse(EngineFile("tensorrt_rtx"), DRS_ENGINE_ERROR,
           "is an engine of TensorRT-RTX, and provider 'tensorrt' was asked for");
    refuse(EngineFile(), DRS_PROVIDER_ERROR, "there is no GPU 2: CUDA sees 2 here", 2);
    double_.device_count = 0;
    refuse(EngineFile(), DRS_PROVIDER_ERROR, "no NVIDIA GPU can be used here (cudaSuccess)");
    CHECK(std::count(double_.calls.begin(), double_.calls.end(), "load") == 0);
}

void test_a_missing_manifest_is_refused() {
    new_double();
    drs_backend_settings settings = {};
    settings.path = "x.engine";
    Opened opened;
    CHECK(table()->open(&settings, &opened.model, &opened.error) == DRS_ENGINE_ERROR);
    CHECK(std::strstr(opened.error.message, "without its manifest") != nullptr);
}

void test_an_engine_of_another_interface_is_refused() {
    const std::vector<std::vector<EngineTensor>> wrong = {
        {},
        {{"input", DRS_FLOAT32, true}},
        {{"input", DRS_FLOAT32, true}, {"output", DRS_FLOAT16, false}},
        {{"input", DRS_FLOAT32, true}, {"output", DRS_FLOAT32, true}},
        {{"image", DRS_FLOAT32, true}, {"output", DRS_FLOAT32, false}},
        {{"input", DRS_FLOAT32, true}, {"output", DRS_FLOAT32, false}, {"x", DRS_FLOAT32, true}},
    };
    for (const auto &tensors : wrong) {
        new_double().tensors = tensors;
        refuse(EngineFile(), DRS_ENGINE_ERROR, "has other inputs and outputs than its manifest");
    }
}

void test_stripped_weights_are_put_in_or_refused_by_name() {
    auto &double_ = new_double();
    EngineFile file;
    file.manifest["options"]["stripped_weights"] = true;
    refuse(file, DRS_ENGINE_ERROR, "and x.onnx, which has them, is not beside it; copy it there");
    const auto weights = file.folder / "x.onnx";
    write_file(weights, "weights");
    refuse(file, DRS_ENGINE_ERROR, "x.onnx beside it is not the file that it was built from");
    file.manifest["onnx_sha256"] = sha256_of(weights, DRS_ENGINE_ERROR);
    double_.can_refit = false;
    refuse(file, DRS_ENGINE_ERROR, "this build of libdrsformer_tensorrt.so cannot put them in");
    new_double();
    Opened opened;
    CHECK(opened.open(file) == DRS_OK && double_.refitted == weights.string());
    opened.close();
    const auto refit = std::find(double_.calls.begin(), double_.calls.end(), "refit");
    const auto number = static_cast<int>(refit - double_.calls.begin()) + 1;
    new_double().fail_at = number;
    refuse(file, DRS_ENGINE_ERROR, "cannot take the weights of x.onnx: the double refuses refit");
}

void test_the_library_gives_its_reason() {
    auto &double_ = new_double();
    Opened opened;
    const EngineFile file;
    CHECK(opened.open(file) == DRS_OK);
    float *input = nullptr;
    float *output = nullptr;
    CHECK(opened.prepare(first, &input, &output) == DRS_OK);
    double_.fail_at = static_cast<int>(double_.calls.size()) + 4;  // get, set, upload, queue
    CHECK(opened.run() == DRS_ENGINE_ERROR);
    const std::string expected =
        file.path +
        " failed on an input of 1x3x16x24 on GPU 0 (Double): the engine could not be "
        "queued: the double refuses queue; free the GPU's memory and try again, or "
        "build the engine again on this machine";
    CHECK(opened.error.message == expected);
    opened.close();
    check_clean("reason");
}

void test_too_little_memory_says_what_to_do() {
    auto &double_ = new_double();
    Opened opened;
    const EngineFile file;
    CHECK(opened.open(file) == DRS_OK);
    double_.fail_at = static_cast<int>(double_.calls.size()) + 3;  // get, set, allocate
    double_.status = out_of_memory;
    float *input = nullptr;
    float *output = nullptr;
    CHECK(opened.prepare(first, &input, &output) == DRS_ENGINE_ERROR);
    CHECK(std::strstr(opened.error.message,
                      "CUDA: cudaErrorMemoryAllocation; the GPU's memory is "
                      "not enough: derain in smaller tiles") != nullptr);
    opened.close();
    check_clean("memory");
}

void test_shapes_outside_and_runs_without_input_are_refused() {
    new_double();
    Opened opened;
    CHECK(opened.open(EngineFile()) == DRS_OK);
    CHECK(opened.run() == DRS_INTERNAL_ERROR);
    float *input = nullptr;
    float *output = nullptr;
    for (const InputShape &shape : {InputShape{5, 3, 8, 8}, InputShape{1, 3, 520, 8},
                                    InputShape{0, 3, 8, 8}, InputShape{1, -3, 8, 8}}) {
        CHECK(opened.prepare(shape, &input, &output) == DRS_SHAPE_ERROR);
        CHECK(std::strstr(opened.error.message, "was built for 1x3x8x8 to 4x3x512x512") != nullptr);
    }
    CHECK(opened.run() == DRS_INTERNAL_ERROR);
    opened.close();
    check_clean("shapes");
}

void test_tensors_that_lie_wrong_and_captures_are_refused() {
    new_double();
    Opened opened;
    CHECK(opened.open(EngineFile()) == DRS_OK);
    FakeStream stream;
    Tensor input = {};
    Tensor output = {};
    const auto refused = [&](const void *from, void *to, const char *part) {
        CHECK(opened.run_on_device(from, to, second, stream) == DRS_INVALID_ARGUMENT);
        CHECK(std::strstr(opened.error.message, part) != nullptr);
    };
    refused(&input.values[1], &output, "input does not begin at a multiple of 256 bytes");
    refused(&input, &output.values[1], "output does not begin at a multiple of 256 bytes");
    stream.capturing = true;
    refused(&input, &output, "stream is being captured into a CUDA graph");
    opened.close();
    check_clean("captures");
}

void test_a_run_waits_for_the_one_before_it_on_another_stream() {
    new_double();
    Opened opened;
    CHECK(opened.open(EngineFile()) == DRS_OK);
    FakeStream early;
    FakeStream late;
    Tensor input = {};
    Tensor early_output = {};
    Tensor late_output = {};
    input.values[0] = 1;
    CHECK(opened.run_on_device(&input, &early_output, second, early) == DRS_OK);
    CHECK(opened.run_on_device(&input, &late_output, second, late) == DRS_OK);
    CHECK(early_output.values[0] == 0);  // nothing is waited for by the caller
    drain(late);
    CHECK(early_output.values[0] == 1 && late_output.values[0] == 1 && early.pending.empty());
    opened.close();
    check_clean("streams");
}

void test_a_model_is_described_by_its_manifest() {
    new_double();
    EngineFile file;
    const json fixed = {2, 3, 1024, 512};
    file.manifest["profiles"].push_back({{"min", fixed}, {"opt", fixed}, {"max", fixed}});
    Opened opened;
    CHECK(opened.open(file) == DRS_OK);
    drs_backend_info info = {};
    CHECK(table()->info(opened.model, &info, &opened.error) == DRS_OK);
    CHECK(info.inputs == 1 && info.outputs == 1 && info.most_images == 4);
    CHECK(std::strcmp(info.input.name, "input") == 0 && info.input.dtype == DRS_FLOAT32);
    CHECK(info.input.shape[0] == -1 && info.input.shape[1] == 3 && info.input.shape[2] == -1);
    CHECK(info.input.least[2] == 8 && info.input.most[2] == 1024 && info.input.most[3] == 512);
    CHECK(json::parse(table()->metadata(opened.model, "contract")) == file.manifest["contract"]);
    CHECK(table()->metadata(opened.model, "form") == nullptr);
    opened.close();
}

void test_kernels_are_kept_beside_the_engine() {
    const EngineFile file("tensorrt_rtx");
    auto &double_ = new_double_of("tensorrt_rtx");
    CHECK(Use(file).all().empty() && double_.set_kernels.empty());
    CHECK(bytes_of(file.path + ".cache", 100, DRS_ENGINE_ERROR, "") == "kernels");
    CHECK(Use(file).all().empty() && double_.set_kernels == "kernels");
    std::filesystem::remove(file.path + ".cache");
    std::filesystem::create_directory(file.path + ".cache");  // nothing can be kept there
    CHECK(Use(file).all().empty());
    const auto folder = std::filesystem::path(file.path).parent_path();
    const std::filesystem::directory_iterator inside(folder);
    CHECK(std::distance(begin(inside), end(inside)) == 2);
}

void test_host_code_is_allowed_to_version_compatible_engines_only() {
    EngineFile file;
    auto &double_ = new_double();
    CHECK(Use(file).all().empty() && !double_.host_code);
    file.manifest["runs_on"]["version_compatible"] = true;
    CHECK(Use(file).all().empty() && double_.host_code);
}

void test_a_hundred_rounds_leave_nothing() {
    const EngineFile file;
    new_double();
    for (int round = 0; round < 100; ++round) CHECK(Use(file).all().empty());
    check_clean("rounds");
}

}  // namespace

int main() {
    for (const auto *flavor : {"tensorrt", "tensorrt_rtx"}) {
        test_without_a_fault_the_output_is_right_and_nothing_is_left(flavor);
        for (const int status : {unknown_error, out_of_memory}) {
            test_every_call_fails_once(flavor, status);
        }
    }
    test_what_does_not_fit_is_refused_before_the_library_sees_it();
    test_a_missing_manifest_is_refused();
    test_an_engine_of_another_interface_is_refused();
    test_stripped_weights_are_put_in_or_refused_by_name();
    test_the_library_gives_its_reason();
    test_too_little_memory_says_what_to_do();
    test_shapes_outside_and_runs_without_input_are_refused();
    test_tensors_that_lie_wrong_and_captures_are_refused();
    test_a_run_waits_for_the_one_before_it_on_another_stream();
    test_a_model_is_described_by_its_manifest();
    test_kernels_are_kept_beside_the_engine();
    test_host_code_is_allowed_to_version_compatible_engines_only();
    test_a_hundred_rounds_leave_nothing();
    return checks_result();
}
