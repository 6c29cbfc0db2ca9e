// Closes a file when its owner goes.
#ifndef DRSFORMER_TOOLS_FILE_DESCRIPTOR_HPP
#define DRSFORMER_TOOLS_FILE_DESCRIPTOR_HPP

#include <unistd.h>

namespace drsformer::tool {

class FileDescriptor {
  public:
    explicit FileDescriptor(int number) : number_(number) {}
    ~FileDescriptor() { close_now(); }
    FileDescriptor(const FileDescriptor &) = delete;
    FileDescriptor &operator=(const FileDescriptor &) = delete;

    int get() const { return number_; }

    // Closes it before its owner goes, since an error of writing may show only then.
    bool close_now() {
        const int number = number_;
        number_ = -1;
        return number < 0 || close(number) == 0;
    }

  private:
    int number_;
};

}  // namespace drsformer::tool

#endif  // DRSFORMER_TOOLS_FILE_DESCRIPTOR_HPP
