// From a pixel's level to the network's value and back, bit for bit as numpy does it.
#ifndef DRSFORMER_SCALING_HPP
#define DRSFORMER_SCALING_HPP

#include <cstdint>
#include <cstring>

namespace drsformer {

// Returns a level of 0 to largest as a value in [0, 1].
inline float scaled(uint16_t level, uint16_t largest) {
    return static_cast<float>(level) / static_cast<float>(largest);
}

// Returns the level of a finite value: clamped to [0, 1], and rounded half to even.
inline uint16_t level_of(float value, uint16_t largest) {
    const float clamped = value < 0.0F ? 0.0F : (value > 1.0F ? 1.0F : value);
    // float32 has no bits for fractions above 2**23: adding this rounds as the processor does, half
    // to even, and unlike nearbyint the compiler can do several at once
    constexpr float no_fractions = 12582912.0F;
    const float levels = clamped * static_cast<float>(largest);
    return static_cast<uint16_t>((levels + no_fractions) - no_fractions);
}

// Returns the nearest half-precision number, ties to even, as its bits.
inline uint16_t half_from_float(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000U);
    const uint32_t magnitude = bits & 0x7FFFFFFFU;
    if (magnitude > 0x7F800000U) return static_cast<uint16_t>(sign | 0x7E00U);   // not a number
    if (magnitude >= 0x477FF000U) return static_cast<uint16_t>(sign | 0x7C00U);  // infinite
    if (magnitude < 0x33000001U) return sign;                                    // rounds to zero
    uint32_t mantissa = (magnitude & 0x7FFFFFU) | 0x800000U;
    const auto exponent = static_cast<int32_t>(magnitude >> 23) - 112;  // of the half
    const int32_t dropped = exponent > 0 ? 13 : 14 - exponent;          // bits of the mantissa
    const uint32_t rest = mantissa & ((1U << dropped) - 1U);
    const uint32_t tie = 1U << (dropped - 1);
    mantissa >>= dropped;
    if (rest > tie || (rest == tie && (mantissa & 1U))) ++mantissa;
    // a mantissa that overflows carries into the exponent, which is then right as well
    const uint32_t upper = exponent > 0 ? static_cast<uint32_t>(exponent - 1) << 10 : 0U;
    return static_cast<uint16_t>(sign | (upper + mantissa));
}

// Returns the value of a half-precision number's bits.
inline float float_from_half(uint16_t half) {
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16;
    const uint32_t exponent = half >> 10 & 0x1FU;
    const uint32_t mantissa = half & 0x3FFU;
    if (exponent == 0) {  // zero, or without the leading one: a multiple of 2**-24
        const float magnitude = static_cast<float>(mantissa) * 5.9604644775390625e-8F;
        return sign ? -magnitude : magnitude;
    }
    const uint32_t bits = exponent == 31 ? sign | 0x7F800000U | mantissa << 13
                                         : sign | (exponent + 112) << 23 | mantissa << 13;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

}  // namespace drsformer

#endif  // DRSFORMER_SCALING_HPP
