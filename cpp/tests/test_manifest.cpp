// The manifest is read as written, and what does not fit is refused, naming both sides. The cases
// are those of tests/drsformer/engine/test_manifest.py, and what only C++ has to fear.
#include "manifest.hpp"

#include <sys/stat.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "check.hpp"
#include "one_line.hpp"
#include "readable.hpp"
#include "sha256.hpp"
#include "temporary_folder.hpp"

using namespace drsformer;
using nlohmann::json;

namespace {

const std::filesystem::path nowhere = "x.engine";

json shape(int images, int channels, int height, int width) {
    return json::array({images, channels, height, width});
}

json profile(const json &min, const json &opt, const json &max) {
    return {{"min", min}, {"opt", opt}, {"max", max}};
}

json profile(const json &fixed) {
    return profile(fixed, fixed, fixed);
}

json values() {
    return {
        {"engine_sha256", std::string(64, '0')},
        {"engine_bytes", 7},
        {"flavor", "tensorrt"},
        {"version", "10.3.0.26"},
        {"precision", "fp16"},
        {"contract", {{"layout", "NCHW"}, {"dtype", "float32"}, {"multiple_of", 8}}},
        {"profiles",
         {profile(shape(1, 3, 64, 64), shape(1, 3, 256, 256), shape(2, 3, 512, 1024)),
          profile(shape(1, 3, 1024, 1024))}},
        {"runs_on", {{"compute_capabilities", {"8.7"}}, {"platform", "linux-aarch64"}}},
        {"built_on", {{"gpu", "Orin"}, {"compute_capability", "8.7"}, {"cuda", "12.6"}}},
        {"options", {{"workspace_bytes", nullptr}}},
        {"layers", {{"float16", 3}}},
        {"onnx_file", "x.onnx"},
        {"onnx_sha256", std::string(64, '1')},
        {"checkpoint_sha256", std::string(64, '2')},
        {"drs_export_version", "0"},
        {"command", "drs-export trt x.onnx -o x.engine"},
        {"other_gpus", nullptr},
        {"calibration", nullptr},
        {"validation", nullptr},
        {"format", 1},
    };
}

json with(const json &changed) {
    auto made = values();
    for (const auto &[key, value] : changed.items()) made[key] = value;
    return made;
}

Manifest read(const json &made) {
    return manifest_from_text(made.dump(), "x.engine.json");
}

// An engine with its manifest in a folder of its own.
struct Engine {
    TemporaryFolder folder;
    std::filesystem::path path = folder / "x.engine";

    Engine() {
        write_file(path, "engine!");
        describe({{"engine_sha256", sha256_of(path, DRS_ENGINE_ERROR)}});
    }

    void describe(const json &changed) { write_file(manifest_path(path), with(changed).dump(2)); }
};

std::string sha256_text(const std::string &text, std::size_t piece) {
    Sha256 sum;
    for (std::size_t i = 0; i < text.size(); i += piece) {
        sum.update(text.data() + i, std::min(piece, text.size() - i));
    }
    return sum.digits();
}

void test_sha256_gives_the_published_digests() {
    const std::string two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    for (const std::size_t piece : {1U, 3U, 64U, 1000U}) {
        CHECK(sha256_text("", piece) ==
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        CHECK(sha256_text("abc", piece) ==
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        CHECK(sha256_text(two_blocks, piece) ==
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
    CHECK(sha256_text(std::string(1000000, 'a'), 999) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

void test_every_length_near_a_block_gives_one_digest_however_it_is_cut() {
    for (std::size_t size = 0; size < 200; ++size) {
        const std::string text(size, 'x');
        const auto whole = sha256_text(text, 1000);
        for (const std::size_t piece : {1U, 7U, 63U, 65U}) CHECK(sha256_text(text, piece) == whole);
    }
}

void test_it_reads_back_as_written() {
    const Engine engine;
    const auto manifest = manifest_of(engine.path);
    CHECK(manifest.engine_bytes == 7 && manifest.flavor == "tensorrt");
    CHECK(manifest.version == "10.3.0.26" && manifest.precision == "fp16");
    CHECK(json::parse(manifest.contract_json) == values()["contract"]);
    CHECK(manifest.layout == "NCHW" && manifest.dtype == "float32");
    CHECK(manifest.input_name == "input" && manifest.output_name == "output");
    CHECK(manifest.profiles.size() == 2 && manifest.profiles[0].max[3] == 1024);
    CHECK(manifest.runs_on.compute_capabilities == std::vector<std::string>{"8.7"});
    CHECK(!manifest.runs_on.newer && !manifest.runs_on.version_compatible);
    CHECK(manifest.runs_on.platform == "linux-aarch64" && manifest.built_on.gpu == "Orin");
    CHECK(manifest.onnx_file == "x.onnx" && manifest.onnx_sha256 == std::string(64, '1'));
    CHECK(!manifest.stripped_weights && !manifest.other_gpus);
}

void test_engines_are_known_by_their_ending_or_their_manifest() {
    const Engine engine;
    CHECK(is_engine(engine.path) && is_engine("a.plan") && is_engine("a.trt"));
    CHECK(!is_engine("a.onnx") && !is_engine(engine.folder / "checkpoint.pth") && !is_engine(""));
    const auto other = engine.folder / "renamed";
    std::filesystem::rename(engine.path, other);
    CHECK(!is_engine(other));
    std::filesystem::rename(manifest_path(engine.path), manifest_path(other));
    CHECK(is_engine(other));
}

void test_a_missing_manifest_or_engine_is_refused() {
    const Engine engine;
    std::filesystem::remove(manifest_path(engine.path));
    CHECK_FAILS(manifest_of(engine.path), DRS_ENGINE_ERROR,
                "has no manifest x.engine.json beside it");
    const Engine other;
    std::filesystem::remove(other.path);
    CHECK_FAILS(manifest_of(other.path), DRS_ENGINE_ERROR, "No such file");
}

void test_an_engine_that_was_cut_altered_or_extended_is_refused() {
    const Engine engine;
    write_file(engine.path, "engine");
    CHECK_FAILS(manifest_of(engine.path), DRS_ENGINE_ERROR,
                "has 6 bytes, and x.engine.json says 7: cut short");
    write_file(engine.path, "engine!more");
    CHECK_FAILS(manifest_of(engine.path), DRS_ENGINE_ERROR,
                "has 11 bytes, and x.engine.json says 7");
    write_file(engine.path, "engine?");
    CHECK_FAILS(manifest_of(engine.path), DRS_ENGINE_ERROR, "...: damaged, or another engine");
    write_file(engine.path, "");
    CHECK_FAILS(manifest_of(engine.path), DRS_ENGINE_ERROR,
                "x.engine is empty; expected an engine");
}

void test_every_digit_of_the_hash_counts() {
    Engine engine;
    auto digits = sha256_of(engine.path, DRS_ENGINE_ERROR);
    digits.back() = digits.back() == '0' ? '1' : '0';
    engine.describe({{"engine_sha256", digits}});
    CHECK_FAILS(manifest_of(engine.path), DRS_ENGINE_ERROR, "damaged, or another engine");
}

void test_only_regular_files_are_read() {
    const Engine engine;
    std::filesystem::remove(manifest_path(engine.path));
    CHECK(mkfifo(manifest_path(engine.path).c_str(), 0600) == 0);
    CHECK_FAILS(manifest_of(engine.path), DRS_ENGINE_ERROR, "it is not a regular file");
    CHECK_FAILS(check_readable(engine.folder / ".", DRS_MODEL_ERROR, "x"), DRS_MODEL_ERROR,
                "it is not a regular file; x");
}

void test_values_that_no_engine_has_are_refused() {
    const std::vector<json> changes = {
        {{"format", 2}},
        {{"format", true}},
        {{"format", "1"}},
        {{"flavor", "tensorrt_rtl"}},
        {{"flavor", "tensorrt_lean"}},
        {{"flavor", 1}},
        {{"profiles", json::array()}},
        {{"profiles", nullptr}},
        {{"profiles", {{{"min", {1, 2}}, {"opt", {1}}, {"max", "x"}}}}},
        {{"profiles", {{{"min", shape(1, 3, 8, 8)}}}}},
        {{"profiles", {profile(shape(-1, 3, 8, 8))}}},
        {{"profiles", {profile(shape(0, 3, 8, 8), shape(1, 3, 8, 8), shape(1, 3, 8, 8))}}},
        {{"profiles", {profile(shape(1, 5, 8, 8))}}},
        {{"profiles", {profile(json::array({1.5, 3, 8, 8}))}}},
        {{"profiles", {profile(json::array({true, 3, 8, 8}))}}},
        {{"profiles", {profile(json::array({1e300, 3, 8, 8}))}}},
        {{"profiles", {profile(json::array({4294967296, 3, 8, 8}))}}},
        {{"profiles", {profile(shape(9, 3, 8, 8), shape(1, 3, 8, 8), shape(1, 3, 8, 8))}}},
        {{"runs_on", {{"compute_capabilities", json::array()}}}},
        {{"runs_on", nullptr}},
        {{"runs_on", {{"compute_capabilities", {"eight"}}}}},
        {{"runs_on", {{"compute_capabilities", {"8.9 "}}}}},
        {{"runs_on", {{"compute_capabilities", {8.9}}}}},
        {{"runs_on", {{"compute_capabilities", "8.9"}}}},
        {{"runs_on", {{"compute_capabilities", {"8.9"}}, {"newer", "no"}}}},
        {{"runs_on", {{"compute_capabilities", {"8.9"}}, {"platform", 5}}}},
        {{"runs_on", {{"compute_capabilities", {"8.9"}}, {"moon", 1}}}},
        {{"version", "ten"}},
        {{"version", ""}},
        {{"version", "10.3\n"}},
        {{"engine_sha256", "short"}},
        {{"engine_sha256", "0x" + std::string(62, '0')}},
        {{"engine_sha256", std::string(64, 'A')}},
        {{"engine_bytes", "7"}},
        {{"engine_bytes", true}},
        {{"engine_bytes", 0}},
        {{"engine_bytes", -7}},
        {{"engine_bytes", 7.0}},
        {{"built_on", {{"gpu", "x"}, {"moon", 1}}}},
        {{"built_on", {{"gpu", {5}}}}},
        {{"built_on", 5}},
        {{"precision", "fp3"}},
        {{"precision", {1}}},
        {{"layers", {1, 2}}},
        {{"layers", {{"float16", 1.5}}}},
        {{"options", nullptr}},
        {{"calibration", "x"}},
        {{"validation", "x"}},
        {{"onnx_file", "/etc/passwd"}},
        {{"onnx_file", ".."}},
        {{"onnx_file", ""}},
        {{"onnx_file", 5}},
        {{"onnx_file", std::string("a\0b", 3)}},
        {{"command", json::object()}},
        {{"contract", nullptr}},
        {{"contract", {{"layout", "CHWN"}}}},
        {{"contract", {{"dtype", "int8"}}}},
        {{"contract", {{"input_name", 5}}}},
    };
    for (const auto &change : changes) {
        CHECK_FAILS(read(with(change)), DRS_ENGINE_ERROR, "x.engine.json");
    }
}

void test_every_key_is_needed_but_three() {
    const auto all = values();
    for (const auto &[key, value] : all.items()) {
        auto made = all;
        made.erase(key);
        if (key == "other_gpus" || key == "calibration" || key == "validation") {
            CHECK(read(made).version == "10.3.0.26");
        } else {
            CHECK_FAILS(read(made), DRS_ENGINE_ERROR, "the key '" + key + "' is missing");
        }
    }
}

void test_broken_json_is_refused() {
    const auto refuse = [](const std::string &text, const std::string &part) {
        CHECK_FAILS(manifest_from_text(text, "x.json"), DRS_ENGINE_ERROR, part);
    };
    for (const auto *text : {"", "{", "[]", "3", "null", "\"x\"", "{\"format\": 1}", "{} {}",
                             "\xff", "{\"format\": NaN}", "{\"format\": 1e999}", "{'format': 1}",
                             "{\"format\": \"\xc3\x28\"}"}) {
        refuse(text, "x.json is not a manifest of an engine (");
    }
    refuse(std::string("{}\0{", 4), "it has zero bytes");
    refuse(std::string(1000000, '['), "nested too deeply");
    std::string deep;
    for (int i = 0; i < 200000; ++i) deep += "{\"a\":";
    refuse(deep, "nested too deeply");
    refuse("{\"format\": 1, \"format\": 1}", "the key 'format' comes twice");
    refuse("{\"a\": [{\"b\": 1, \"b\": 1}]}", "the key 'b' comes twice");
    refuse(std::string(most_manifest_bytes + 1, ' '), "it has more than 4,194,304 bytes");
    refuse("{\"format\": 123456789012345678901234567890}", "");
}

void test_each_cut_of_a_manifest_is_refused() {
    const auto text = values().dump();
    for (std::size_t size = 0; size < text.size(); ++size) {
        CHECK_FAILS(manifest_from_text(text.substr(0, size), "x.json"), DRS_ENGINE_ERROR, "x.json");
    }
}

void test_a_manifest_that_is_too_large_is_not_read() {
    const Engine engine;
    write_file(manifest_path(engine.path), std::string(most_manifest_bytes + 1, ' '));
    CHECK_FAILS(manifest_of(engine.path), DRS_ENGINE_ERROR, "has more than 4,194,304 bytes");
}

void test_fields_of_later_versions_are_passed_over() {
    const auto manifest = read(with({{"colour", "blue"}, {"shape", {{"a", {1, 2}}}}}));
    CHECK(manifest.precision == "fp16");
}

void test_options_say_whether_weights_were_stripped() {
    const auto stripped = [](const json &value) {
        return read(with({{"options", {{"stripped_weights", value}}}})).stripped_weights;
    };
    CHECK(stripped(true) && !stripped(false) && !stripped(nullptr));
}

void test_a_refusal_says_what_was_expected() {
    const auto refuse = [](const json &change, const std::string &part) {
        CHECK_FAILS(read(with(change)), DRS_ENGINE_ERROR, part);
    };
    const std::string valid = " is not a valid value: expected ";
    refuse({{"precision", "fp3"}},
           "precision 'fp3'" + valid + "fp32 or fp16 or bf16 or int8 or fp8; build it again");
    refuse({{"flavor", "tensorrt_rtl"}},
           "flavor 'tensorrt_rtl'" + valid + "tensorrt or tensorrt_rtx;");
    refuse({{"engine_bytes", "7"}}, "engine_bytes '7'" + valid + "a whole number above 0;");
    refuse({{"onnx_sha256", "1\n2"}}, "onnx_sha256 '1\\n2'" + valid + "64 hexadecimal digits;");
    refuse({{"onnx_file", "../x.onnx"}}, valid + "the name of a file, without a folder;");
    refuse({{"built_on", {{"cuda", 13}}}}, "built_on.cuda 13" + valid + "text or null;");
    refuse({{"profiles", {profile(shape(1, 5, 8, 8))}}}, "and 3 channels;");
    refuse({{"format", 2}}, "has format 2, this version reads 1; build it again");
}

Manifest with_version(const std::string &version, bool compatible) {
    auto made = with({{"version", version}});
    made["runs_on"]["version_compatible"] = compatible;
    return read(made);
}

void accept(const Manifest &manifest, const std::string &version) {
    check_version(manifest, version, nowhere);
    CHECK(true);
}

void refuse(const Manifest &manifest, const std::string &version) {
    CHECK_FAILS(check_version(manifest, version, nowhere), DRS_ENGINE_ERROR,
                "and here is " + version + "; install that version, or build it again");
}

void test_another_version_is_refused_with_both_named() {
    const auto manifest = with_version("10.3.0.26", false);
    accept(manifest, "10.3.0.26");
    CHECK_FAILS(check_version(manifest, "10.4.0.26", nowhere), DRS_ENGINE_ERROR,
                "by TensorRT 10.3.0.26, and here is 10.4.0.26");
    for (const auto *version : {"10.3.0", "10.3.0.post1"}) accept(manifest, version);
    accept(with_version("10.7.0.post1", false), "10.7.0");
    refuse(manifest, "10.3.1");
    accept(with_version("11.0.0rc1", false), "11.0.0rc1");
    refuse(with_version("11.0.0rc1", false), "11.0.0");
    refuse(manifest, "10.3.0.26.dev3");
    refuse(with_version("99999999999999999999999999.1", false), "1.0");
}

void test_a_version_compatible_engine_runs_forward_to_the_next_major() {
    const auto manifest = with_version("10.3.0.26", true);
    for (const auto *fine : {"10.3.0.27", "10.3.0.20", "10.16.1.11", "11.4.1.2"}) {
        accept(manifest, fine);
    }
    for (const auto *wrong : {"12.0.0.1", "10.2.0.1", "9.9.0.0"}) refuse(manifest, wrong);
}

void test_another_gpu_or_platform_is_refused_with_both_named() {
    auto manifest = read(values());
    check_gpu(manifest, "Orin", "8.7", nowhere);
    CHECK_FAILS(check_gpu(manifest, "NVIDIA H100", "9.0", nowhere), DRS_ENGINE_ERROR,
                "capability 8.7, and here is NVIDIA H100 with 9.0");
    CHECK_FAILS(check_gpu(manifest, "an RTX GPU", "8.9", nowhere), DRS_ENGINE_ERROR,
                "here is an RTX GPU with 8.9");
    manifest.runs_on = {{"8.0", "8.9"}, true, false, std::nullopt};
    for (const auto *capability : {"8.0", "8.6", "12.0"}) {
        check_gpu(manifest, "a GPU", capability, nowhere);
    }
    CHECK_FAILS(check_gpu(manifest, "Turing", "7.5", nowhere), DRS_ENGINE_ERROR,
                "8.0, 8.9 and newer, and here is Turing with 7.5");
    check_platform(manifest, "windows-x86_64", nowhere);
    check_platform(read(values()), "linux-aarch64", nowhere);
    CHECK_FAILS(check_platform(read(values()), "linux-x86_64", nowhere), DRS_ENGINE_ERROR,
                "on linux-aarch64, and here is linux-x86_64");
}

void test_the_first_profile_that_takes_a_shape_is_chosen() {
    const auto manifest = read(values());
    CHECK(check_profile(manifest, {2, 3, 512, 1024}, nowhere) == 0);
    CHECK(check_profile(manifest, {1, 3, 1024, 1024}, nowhere) == 1);
    CHECK_FAILS(check_profile(manifest, {1, 3, 56, 64}, nowhere), DRS_SHAPE_ERROR,
                "an input is 1x3x56x64 (NCHW), and x.engine was built for 1x3x64x64 to "
                "2x3x512x1024 or 1x3x1024x1024; use tiles");
}

void test_other_peoples_text_becomes_one_line() {
    CHECK(one_line(" a\n\tb\r\n") == "a b" && one_line("").empty());
    CHECK(one_line("\x01\xff z\xc3\xa4\xc0\xaf\xed\xa0\x80") == "?? z\xc3\xa4?????");
    CHECK(one_line("\xf0\x9f\x8c\xa7 \xf0\x9f\x8c") == "\xf0\x9f\x8c\xa7 ???");
    CHECK(one_line(std::string(50, 'x'), 20) == std::string(16, 'x') + " ...");
    CHECK(one_line("aaa\xc3\xa4"
                   "bbbbbb",
                   8) == "aaa ...");
    CHECK(with_commas(0) == "0" && with_commas(999) == "999" &&
          with_commas(1234567) == "1,234,567");
}

}  // namespace

int main() {
    test_sha256_gives_the_published_digests();
    test_every_length_near_a_block_gives_one_digest_however_it_is_cut();
    test_it_reads_back_as_written();
    test_engines_are_known_by_their_ending_or_their_manifest();
    test_a_missing_manifest_or_engine_is_refused();
    test_an_engine_that_was_cut_altered_or_extended_is_refused();
    test_every_digit_of_the_hash_counts();
    test_only_regular_files_are_read();
    test_values_that_no_engine_has_are_refused();
    test_every_key_is_needed_but_three();
    test_broken_json_is_refused();
    test_each_cut_of_a_manifest_is_refused();
    test_a_manifest_that_is_too_large_is_not_read();
    test_fields_of_later_versions_are_passed_over();
    test_options_say_whether_weights_were_stripped();
    test_a_refusal_says_what_was_expected();
    test_another_version_is_refused_with_both_named();
    test_a_version_compatible_engine_runs_forward_to_the_next_major();
    test_another_gpu_or_platform_is_refused_with_both_named();
    test_the_first_profile_that_takes_a_shape_is_chosen();
    test_other_peoples_text_becomes_one_line();
    return checks_result();
}
