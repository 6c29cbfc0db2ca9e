// The memory of a tensor.
#ifndef DRSFORMER_BACKENDS_ALIGNED_BUFFER_HPP
#define DRSFORMER_BACKENDS_ALIGNED_BUFFER_HPP

#include <cstddef>
#include <memory>
#include <new>

namespace drsformer::backend {

// Bytes that begin at a cache line, which is also what the widest vector loads like.
class AlignedBuffer {
  public:
    explicit AlignedBuffer(std::size_t size)
        : size_(size), data_(::operator new(size, std::align_val_t{alignment})) {}

    void *data() const noexcept { return data_.get(); }
    std::size_t size() const noexcept { return size_; }

  private:
    static constexpr std::size_t alignment = 64;

    struct Free {
        void operator()(void *data) const noexcept {
            ::operator delete(data, std::align_val_t{alignment});
        }
    };

    std::size_t size_;
    std::unique_ptr<void, Free> data_;
};

}  // namespace drsformer::backend

#endif  // DRSFORMER_BACKENDS_ALIGNED_BUFFER_HPP
