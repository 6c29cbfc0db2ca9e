#include "written_whole.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "failure.hpp"
#include "file_descriptor.hpp"

namespace drsformer::tool {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void cannot_write(const std::string &path, int error_number) {
    throw Failure("cannot write " + path + ": " + words_of(error_number) +
                  "; choose another place");
}

std::string folder_of(const std::string &path) {
    const std::string folder = fs::path(path).parent_path().string();
    return folder.empty() ? "." : folder;
}

// The folder of a file, or the one above it in which it is going to be made.
std::string nearest_folder(const std::string &path) {
    std::string folder = folder_of(path);
    while (!identity_of(folder) && folder != folder_of(folder)) {
        folder = folder_of(folder);
    }
    return folder;
}

// Removes the temporary file unless it was renamed.
class TemporaryName {
  public:
    explicit TemporaryName(const std::string &path)
        : name_(folder_of(path) + "/." + fs::path(path).stem().string().substr(0, 40) + "-" +
                std::to_string(getpid()) + ".part") {
        unlink(get());  // what a process of the same number left when the power failed
    }
    ~TemporaryName() {
        if (!renamed_) {
            unlink(name_.c_str());
        }
    }
    TemporaryName(const TemporaryName &) = delete;
    TemporaryName &operator=(const TemporaryName &) = delete;

    const char *get() const { return name_.c_str(); }

    bool rename_to(const std::string &path) {
        renamed_ = std::rename(get(), path.c_str()) == 0;
        return renamed_;
    }

  private:
    std::string name_;
    bool renamed_ = false;
};

bool write_all(int file, const Bytes &bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t count = write(file, bytes.data() + done, bytes.size() - done);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        done += count < 0 ? 0 : static_cast<std::size_t>(count);
    }
    return true;
}

// Makes the folder of a file, and removes what it made if no file comes into it.
class FolderMade {
  public:
    explicit FolderMade(const std::string &path) {
        for (fs::path folder = folder_of(path); !identity_of(folder.string());
             folder = folder_of(folder.string())) {
            made_.push_back(folder.string());
        }
        std::error_code error;
        fs::create_directories(folder_of(path), error);
        if (error) {
            cannot_write(path, error.value());
        }
    }
    ~FolderMade() {
        for (const std::string &folder : made_) {  // deepest first; a full one stays
            rmdir(folder.c_str());
        }
    }
    FolderMade(const FolderMade &) = delete;
    FolderMade &operator=(const FolderMade &) = delete;

  private:
    std::vector<std::string> made_;
};

}  // namespace

std::mutex &writing() {
    static std::mutex mutex;
    return mutex;
}

void check_target(const std::string &path, const std::vector<Identity> &inputs) {
    struct stat status = {};
    if (stat(path.c_str(), &status) == 0) {
        if (S_ISDIR(status.st_mode)) {
            throw Failure("cannot write " + path + ": it is a folder; choose another name");
        }
        if (!S_ISREG(status.st_mode)) {
            throw Failure("cannot write " + path +
                          ": it is a device or a pipe, which would be replaced by a file; choose "
                          "another name");
        }
        const Identity own{status.st_dev, status.st_ino};
        if (std::find(inputs.begin(), inputs.end(), own) != inputs.end()) {
            throw Failure(path +
                          " is an input, and inputs are never overwritten; choose another name");
        }
    }
    const std::string folder = nearest_folder(path);
    if (!fs::is_directory(folder)) {
        cannot_write(path, ENOTDIR);
    }
    if (access(folder.c_str(), W_OK | X_OK) != 0) {
        cannot_write(path, errno);
    }
}

void write_whole(const std::string &path, const Bytes &bytes) {
    const std::lock_guard<std::mutex> lock(writing());
    const FolderMade folder(path);
    TemporaryName temporary(path);
    FileDescriptor file(open(temporary.get(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (file.get() < 0 || !write_all(file.get(), bytes) || fsync(file.get()) != 0 ||
        !file.close_now() || !temporary.rename_to(path)) {
        cannot_write(path, errno);
    }
}

}  // namespace drsformer::tool
