#include "sha256.hpp"

#include <algorithm>
#include <cstring>

namespace drsformer {
namespace {

constexpr std::size_t block_size = 64;
constexpr std::size_t length_size = 8;  // of the message's length, at the end of the last block

constexpr std::array<std::uint32_t, 64> round_constants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

std::uint32_t rotated(std::uint32_t value, unsigned bits) {
    return value >> bits | value << (32 - bits);
}

std::array<std::uint32_t, 64> schedule_of(const std::uint8_t *block) {
    std::array<std::uint32_t, 64> words = {};
    for (std::size_t i = 0; i < 16; ++i) {
        for (std::size_t j = 0; j < 4; ++j) words[i] = words[i] << 8 | block[4 * i + j];
    }
    for (std::size_t i = 16; i < words.size(); ++i) {
        const auto a = words[i - 15];
        const auto b = words[i - 2];
        words[i] = words[i - 16] + (rotated(a, 7) ^ rotated(a, 18) ^ a >> 3) + words[i - 7] +
                   (rotated(b, 17) ^ rotated(b, 19) ^ b >> 10);
    }
    return words;
}

}  // namespace

void Sha256::update(const void *data, std::size_t size) {
    const auto *bytes = static_cast<const std::uint8_t *>(data);
    size_ += size;
    while (size > 0) {
        if (rest_size_ == 0 && size >= block_size) {
            take_block(bytes);
            bytes += block_size;
            size -= block_size;
            continue;
        }
        const auto taken = std::min(size, block_size - rest_size_);
        std::memcpy(rest_.data() + rest_size_, bytes, taken);
        rest_size_ += taken;
        bytes += taken;
        size -= taken;
        if (rest_size_ == block_size) {
            take_block(rest_.data());
            rest_size_ = 0;
        }
    }
}

std::string Sha256::digits() {
    const auto bits = size_ * 8;
    const std::uint8_t end = 0x80;
    const std::uint8_t zero = 0;
    update(&end, 1);
    while (rest_size_ != block_size - length_size) update(&zero, 1);
    for (unsigned i = 0; i < length_size; ++i) {
        const auto byte = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
        update(&byte, 1);
    }
    std::string text;
    for (const auto word : state_) {
        for (unsigned shift = 32; shift > 0; shift -= 4) {
            text += "0123456789abcdef"[word >> (shift - 4) & 0xf];
        }
    }
    return text;
}

void Sha256::take_block(const std::uint8_t *block) {
    const auto words = schedule_of(block);
    auto [a, b, c, d, e, f, g, h] = state_;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto first = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) +
                           ((e & f) ^ (~e & g)) + round_constants[i] + words[i];
        const auto second =
            (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + first;
        d = c;
        c = b;
        b = a;
        a = first + second;
    }
    const std::array<std::uint32_t, 8> added = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < added.size(); ++i) state_[i] += added[i];
}

}  // namespace drsformer
