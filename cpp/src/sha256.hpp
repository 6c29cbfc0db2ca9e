// SHA-256 as FIPS 180-4 defines it: whether an engine is the file that its manifest describes.
#ifndef DRSFORMER_SHA256_HPP
#define DRSFORMER_SHA256_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace drsformer {

// Takes bytes piece by piece; the pieces' sizes do not matter.
class Sha256 {
  public:
    void update(const void *data, std::size_t size);

    // Returns the 64 hexadecimal digits of what was given; nothing may be added after that.
    std::string digits();

  private:
    void take_block(const std::uint8_t *block);

    std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                           0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::uint8_t, 64> rest_ = {};  // the begin of a block
    std::size_t rest_size_ = 0;
    std::uint64_t size_ = 0;  // of everything, bytes
};

}  // namespace drsformer

#endif  // DRSFORMER_SHA256_HPP
