// drs-derain: derains pictures and raw frames with the C library.
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "derain_files.hpp"
#include "failure.hpp"
#include "interrupts.hpp"
#include "options.hpp"
#include "png.hpp"
#include "raw_frames.hpp"

namespace {

using namespace drsformer::tool;

constexpr int failed = 1;
constexpr int wrong_usage = 2;
constexpr int output_closed = 141;  // as a shell reports a program that SIGPIPE ended

int run(const Options &options, Interrupts &interrupts) {
    if (options.help) {
        std::fputs(help_text(), stdout);
        return 0;
    }
    if (options.version) {
        std::printf("drs-derain %s%s\n", drs_version(), knows_png() ? "" : " (without PNG)");
        return 0;
    }
    if (!options.raw) {
        return derain_files(options, interrupts);
    }
    derain_raw_frames(options, interrupts);
    return 0;
}

int report(int code, const char *sentence) {
    std::fprintf(stderr, "drs-derain: %s\n", sentence);
    return code;
}

// Whether everything that was printed has been taken.
int with_output_kept(int code) {
    const bool kept = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
    return kept || code != 0 ? code : report(failed, "the standard output could not be written");
}

int run_and_report(const std::vector<std::string> &arguments) {
    Interrupts interrupts;
    try {
        return with_output_kept(run(options_from(arguments), interrupts));
    } catch (const UsageError &error) {
        return report(wrong_usage, error.what());
    } catch (const Interrupted &error) {
        return report(128 + interrupts.number(), error.what());
    } catch (const OutputClosed &) {
        return output_closed;
    } catch (const std::bad_alloc &) {
        return report(failed, "the memory is not enough");
    } catch (const std::exception &error) {
        return report(failed, error.what());
    }
}

}  // namespace

int main(int count, char **values) {
    return run_and_report(std::vector<std::string>(values + (count > 0 ? 1 : 0), values + count));
}
