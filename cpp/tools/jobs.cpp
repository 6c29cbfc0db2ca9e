#include "jobs.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "failure.hpp"
#include "files.hpp"
#include "formats.hpp"

namespace drsformer::tool {
namespace {

namespace fs = std::filesystem;

bool is_folder(const std::string &path) {
    std::error_code error;
    return fs::is_directory(path, error);
}

bool exists(const std::string &path) {
    return identity_of(path).has_value();
}

// Whether a name is that of a picture or video, of any kind.
bool names_a_file(const std::string &path) {
    return looks_like_media({}, path);
}

// Whether a file of a folder is an input; what cannot be read is, so that it is reported.
bool is_input(const std::string &path) {
    try {
        return looks_like_media(bytes_from_file(path, longest_start), path);
    } catch (const Failure &) {
        return looks_like_media({}, path);
    }
}

bool is_hidden(const fs::path &path) {
    return path.filename().string().rfind('.', 0) == 0;
}

// The pictures of a folder and of those in it, in order; without what is hidden and without the
// folder to write into.
void find_pictures(const std::string &folder, const std::string &output,
                   std::vector<std::string> &found) {
    std::vector<fs::path> entries;
    try {
        entries.assign(fs::directory_iterator(folder), fs::directory_iterator());
    } catch (const fs::filesystem_error &error) {
        throw Failure(folder + ": cannot be listed: " + error.code().message());
    }
    std::sort(entries.begin(), entries.end());
    for (const fs::path &entry : entries) {
        const std::string path = entry.string();
        std::error_code error;
        if (is_hidden(entry) || fs::equivalent(entry, output, error)) {
            continue;
        }
        if (is_folder(path) && !fs::is_symlink(entry, error)) {  // a link may lead back
            find_pictures(path, output, found);
        } else if (!is_folder(path) && is_input(path)) {
            found.push_back(path);
        }
    }
}

void add_folder(const std::string &folder, const std::string &output, std::vector<Job> &jobs) {
    std::error_code error;
    if (fs::equivalent(folder, output, error)) {
        throw Failure(output +
                      " is the folder of the inputs, and inputs are never overwritten; "
                      "choose another folder with -o");
    }
    std::vector<std::string> found;
    find_pictures(folder, output, found);
    if (found.empty()) {
        throw Failure(folder + ": holds no image; expected PNG, PPM or PGM files");
    }
    for (const std::string &path : found) {
        const fs::path name = fs::path(path).lexically_relative(folder);
        jobs.push_back({path, (fs::path(output) / name).string(), false});
    }
}

void check_distinct(const std::vector<Job> &jobs) {
    std::set<std::string> targets;
    for (const Job &job : jobs) {
        if (!targets.insert(job.target).second) {
            throw Failure(job.source + ": another input becomes " + job.target +
                          " too; derain them into different folders");
        }
    }
}

bool names_a_folder(const Options &options) {
    return !names_a_file(options.output) || is_folder(options.output) ||
           options.inputs.size() > 1 || is_folder(options.inputs.front());
}

}  // namespace

std::vector<Job> jobs_from(const Options &options) {
    if (!names_a_folder(options)) {
        return {{options.inputs.front(), options.output, true}};
    }
    const bool is_file = exists(options.output) || names_a_file(options.output);
    if (is_file && !is_folder(options.output)) {
        throw Failure("-o " + options.output +
                      " is the name of one file; for several inputs or a folder name a folder");
    }
    std::vector<Job> jobs;
    for (const std::string &input : options.inputs) {
        if (is_folder(input)) {
            add_folder(input, options.output, jobs);
        } else {
            const fs::path target = fs::path(options.output) / fs::path(input).filename();
            jobs.push_back({input, target.string(), false});
        }
    }
    check_distinct(jobs);
    return jobs;
}

}  // namespace drsformer::tool
