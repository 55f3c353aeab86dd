/* Arithmetic on eight numbers at once, the same on every machine: plain IEEE operations in a written order, and integers. */
#ifndef SHARDMILL_VECTORS_H
#define SHARDMILL_VECTORS_H

#include "codec.h"

typedef float f8 __attribute__((ext_vector_type(8)));
typedef float f4 __attribute__((ext_vector_type(4)));
typedef int32_t w8 __attribute__((ext_vector_type(8)));
typedef int32_t w4 __attribute__((ext_vector_type(4)));
typedef int16_t s8 __attribute__((ext_vector_type(8)));
typedef int16_t s4 __attribute__((ext_vector_type(4)));
typedef uint8_t b8 __attribute__((ext_vector_type(8)));
typedef uint8_t b16 __attribute__((ext_vector_type(16)));
typedef uint8_t b32 __attribute__((ext_vector_type(32)));

static inline f8 load8(const float *from) {
    f8 loaded;
    __builtin_memcpy(&loaded, from, sizeof loaded);
    return loaded;
}

static inline void store8(float *to, f8 stored) { __builtin_memcpy(to, &stored, sizeof stored); }

static inline w8 loaded_words(const int32_t *from) {
    w8 loaded;
    __builtin_memcpy(&loaded, from, sizeof loaded);
    return loaded;
}

static inline void store_words(int32_t *to, w8 stored) { __builtin_memcpy(to, &stored, sizeof stored); }

static inline f8 clamped8(f8 x, float most) {
    f8 low = {0}, high = low + most;
    x = x > low ? x : low;
    return x < high ? x : high;
}

/* Pairs of 16-bit numbers, the first in the low half. */
static inline w8 paired8(w8 first, w8 second) { return (first & 0xFFFF) | second << 16; }

/* `sums` and, of each pair, both times the weight in the same half. */
static inline w8 plus_weighted(w8 sums, w8 pairs, int32_t weights) {
#ifdef __AVX2__
    w8 both = {weights, weights, weights, weights, weights, weights, weights, weights};
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    typedef int i256 __attribute__((__vector_size__(32)));
    return (w8)__builtin_ia32_vpdpwssd256((i256)sums, (i256)pairs, (i256)both);
#else
    typedef short h16 __attribute__((__vector_size__(32)));
    return sums + (w8)__builtin_ia32_pmaddwd256((h16)pairs, (h16)both);
#endif
#else
    return sums + (pairs << 16 >> 16) * (int32_t)(int16_t)weights + (pairs >> 16) * (weights >> 16);
#endif
}

/* Rows become columns. */
#define TRANSPOSE8(type, a)                                                                                            \
    do {                                                                                                               \
        type b_[8], c_[8];                                                                                             \
        for (int i_ = 0; i_ < 8; i_ += 2) {                                                                            \
            b_[i_] = __builtin_shufflevector((a)[i_], (a)[i_ + 1], 0, 8, 2, 10, 4, 12, 6, 14);                         \
            b_[i_ + 1] = __builtin_shufflevector((a)[i_], (a)[i_ + 1], 1, 9, 3, 11, 5, 13, 7, 15);                     \
        }                                                                                                              \
        for (int i_ = 0; i_ < 8; i_ += 4)                                                                              \
            for (int j_ = 0; j_ < 2; j_++) {                                                                           \
                c_[i_ + j_] = __builtin_shufflevector(b_[i_ + j_], b_[i_ + j_ + 2], 0, 1, 8, 9, 4, 5, 12, 13);         \
                c_[i_ + j_ + 2] = __builtin_shufflevector(b_[i_ + j_], b_[i_ + j_ + 2], 2, 3, 10, 11, 6, 7, 14, 15);   \
            }                                                                                                          \
        for (int i_ = 0; i_ < 4; i_++) {                                                                               \
            (a)[i_] = __builtin_shufflevector(c_[i_], c_[i_ + 4], 0, 1, 2, 3, 8, 9, 10, 11);                           \
            (a)[i_ + 4] = __builtin_shufflevector(c_[i_], c_[i_ + 4], 4, 5, 6, 7, 12, 13, 14, 15);                     \
        }                                                                                                              \
    } while (0)

#endif
