#include "derain_files.hpp"

#include <cstdio>
#include <exception>
#include <new>
#include <vector>

#include "failure.hpp"
#include "files.hpp"
#include "formats.hpp"
#include "jobs.hpp"
#include "model.hpp"
#include "picture.hpp"
#include "png.hpp"
#include "pnm.hpp"
#include "written_whole.hpp"

namespace drsformer::tool {
namespace {

// What must not be overwritten.
std::vector<Identity> identities_of(const std::vector<Job> &jobs, const Options &options) {
    std::vector<Identity> found;
    for (const Job &job : jobs) {
        if (const auto identity = identity_of(job.source)) {
            found.push_back(*identity);
        }
    }
    if (const auto identity = identity_of(options.model)) {
        found.push_back(*identity);
    }
    return found;
}

Picture picture_from(Format format, const Bytes &file, const std::string &path) {
    return format == Format::png ? picture_from_png(file, path) : picture_from_pnm(file, path);
}

void write_picture(Format format, const Picture &picture, const std::string &path) {
    write_whole(path, format == Format::png ? png_from_picture(picture, path)
                                            : pnm_from_picture(picture, path));
}

// Refuses before the work what the format could not hold after it.
void check_fits(Format format, const Picture &picture, const std::string &path) {
    if (format == Format::pnm && has_alpha(picture)) {
        pnm_from_picture(picture, path);
    }
}

class Work {
  public:
    Work(const Options &options, Interrupts &interrupts)
        : options_(options),
          jobs_(jobs_from(options)),
          inputs_(identities_of(jobs_, options)),
          model_(options, interrupts) {}

    int run() {
        if (options_.verbose) {
            std::fprintf(stderr, "%s: %s\n", options_.model.c_str(), model_.description().c_str());
        }
        for (const Job &job : jobs_) {
            derain_or_report(job);
        }
        const std::size_t done = jobs_.size() - failed_;
        std::printf("%s: derained %zu image%s", options_.output.c_str(), done,
                    done == 1 ? "" : "s");
        if (failed_ > 0) {
            std::printf(", failed %zu", failed_);
        }
        std::printf("\n");
        return failed_ == 0 ? 0 : 1;
    }

  private:
    void derain_or_report(const Job &job) {
        try {
            derain(job);
        } catch (const Failure &failure) {
            report(failure.what());
        } catch (const std::bad_alloc &) {
            report(job.source + ": the memory is not enough for it; derain a smaller picture");
        }
    }

    void report(const std::string &sentence) {
        ++failed_;
        std::fprintf(stderr, "error: %s\n", sentence.c_str());
    }

    void derain(const Job &job) {
        check_target(job.target, inputs_);
        const Bytes file = bytes_from_file(job.source);
        const Format read = format_from_bytes(file, job.source);
        const Format written = job.target_is_named ? format_from_name(job.target) : read;
        Picture picture = picture_from(read, file, job.source);
        check_fits(written, picture, job.target);
        model_.derain({picture.pixels.data(), picture.width, picture.height, picture.format},
                      job.source);
        write_picture(written, picture, job.target);
        tell(job);
    }

    void tell(const Job &job) const {
        if (options_.timings) {
            std::printf("%s: %s\n", job.source.c_str(), model_.timings().c_str());
        }
        if (options_.verbose) {
            std::printf("%s\n", job.target.c_str());
        }
    }

    const Options &options_;
    std::vector<Job> jobs_;
    std::vector<Identity> inputs_;
    Model model_;
    std::size_t failed_ = 0;
};

}  // namespace

int derain_files(const Options &options, Interrupts &interrupts) {
    return Work(options, interrupts).run();
}

}  // namespace drsformer::tool
