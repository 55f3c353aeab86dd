/* The inverse DCT in floats, whole or at a half, a quarter or an eighth of the size.

   Whole: Arai, Agui and Nakajima, "A fast DCT-SQ scheme for images", Trans. IEICE E71 (1988). Smaller: the transform of 4, 2
   or 1 points on the lowest coefficients of each block. */
#include "vectors.h"

#define STORED(row, column) (8 * (row) + (column))

const uint8_t zigzag[COEFFICIENTS + OVERRUN] = {
    ZIGZAG(STORED),
    [COEFFICIENTS... COEFFICIENTS + OVERRUN - 1] = COEFFICIENTS,
};

const double dct_scale[BLOCK] = {1.0, 1.387039845325, 1.306562964876, 1.175875602419,
                                 1.0, 0.785694958387, 0.541196100146, 0.275899379283};

static const float ROOT_HALF = 0.707106781f;
static const float MIDDLE = 128 * SAMPLE_ONE + 0.5f; /* the half is for rounding, as what follows cuts off */
static const float MOST = 255 * SAMPLE_ONE + 0.5f;

/* By which coefficient k of one axis is to be multiplied for a transform of so many points. */
static float scale(int k, int samples) { return samples == 8 ? (float)dct_scale[k] : k ? 1.414213562f : 1.0f; }

void scale_quantizer(const uint16_t *quantizer, int samples, float *factors) {
    for (int i = 0; i < COEFFICIENTS; i++) {
        int row = zigzag[i] / 8, column = zigzag[i] % 8;
        factors[zigzag[i]] = quantizer[i] * (SAMPLE_ONE / 8.0f) * scale(row, samples) * scale(column, samples);
    }
}

/* One pass of eight points over the vectors of `a`. */
static inline void pass8(f8 *a) {
    f8 t10 = a[0] + a[4], t11 = a[0] - a[4], t13 = a[2] + a[6], t12 = (a[2] - a[6]) * 1.414213562f - t13;
    f8 e0 = t10 + t13, e3 = t10 - t13, e1 = t11 + t12, e2 = t11 - t12;
    f8 z13 = a[5] + a[3], z10 = a[5] - a[3], z11 = a[1] + a[7], z12 = a[1] - a[7];
    f8 o7 = z11 + z13, z5 = (z10 + z12) * 1.847759065f;
    f8 o6 = z5 - z10 * 2.613125930f - o7, o5 = (z11 - z13) * 1.414213562f - o6;
    f8 o4 = z5 - z12 * 1.082392200f - o5;
    a[0] = e0 + o7, a[7] = e0 - o7, a[1] = e1 + o6, a[6] = e1 - o6;
    a[2] = e2 + o5, a[5] = e2 - o5, a[3] = e3 + o4, a[4] = e3 - o4;
}

static void whole(const int16_t *block, const float *factors, int32_t *pairs) {
    f8 a[8];
    for (int row = 0; row < 8; row++) {
        s8 coefficients;
        __builtin_memcpy(&coefficients, block + 8 * row, sizeof coefficients);
        a[row] = __builtin_convertvector(coefficients, f8) * load8(factors + 8 * row);
    }
    a[0][0] += MIDDLE;
    pass8(a);
    TRANSPOSE8(f8, a);
    pass8(a);
    for (int x = 0; x < 8; x += 2) {
        w8 first = __builtin_convertvector(clamped8(a[x], MOST), w8);
        w8 second = __builtin_convertvector(clamped8(a[x + 1], MOST), w8);
        store_words(pairs + x / 2 * BLOCK, paired8(first, second));
    }
}

static inline void pass4(f4 *a) {
    f4 middle = a[2] * ROOT_HALF, even = a[0] + middle, odd = a[0] - middle;
    f4 outer = a[1] * 0.923879533f + a[3] * 0.382683432f, inner = a[1] * 0.382683432f - a[3] * 0.923879533f;
    a[0] = even + outer, a[3] = even - outer, a[1] = odd + inner, a[2] = odd - inner;
}

static inline w4 sample4(f4 x) {
    f4 low = {0}, high = low + MOST;
    x = x > low ? x : low;
    x = x < high ? x : high;
    return __builtin_convertvector(x, w4);
}

static void half(const int16_t *block, const float *factors, int32_t *pairs) {
    f4 a[4], b[4];
    for (int row = 0; row < 4; row++) {
        s4 coefficients;
        f4 scale;
        __builtin_memcpy(&coefficients, block + 8 * row, sizeof coefficients);
        __builtin_memcpy(&scale, factors + 8 * row, sizeof scale);
        a[row] = __builtin_convertvector(coefficients, f4) * scale;
    }
    a[0][0] += MIDDLE;
    pass4(a);
    for (int i = 0; i < 4; i++) b[i] = (f4){a[0][i], a[1][i], a[2][i], a[3][i]};
    pass4(b);
    for (int x = 0; x < 4; x += 2) {
        w4 pair = (sample4(b[x]) & 0xFFFF) | sample4(b[x + 1]) << 16;
        __builtin_memcpy(pairs + x / 2 * BLOCK, &pair, sizeof pair);
    }
}

static inline int32_t sample1(float x) { return (int32_t)(x > 0 ? (x < MOST ? x : MOST) : 0); }

static void quarter(const int16_t *block, const float *factors, int32_t *pairs) {
    float mean = (float)block[0] * factors[0] + MIDDLE, across = (float)block[1] * factors[1] * ROOT_HALF;
    float down = (float)block[8] * factors[8] * ROOT_HALF, both = (float)block[9] * factors[9] * 0.5f;
    pairs[0] = sample1(mean + across + down + both) | sample1(mean - across + down - both) << 16;
    pairs[1] = sample1(mean + across - down - both) | sample1(mean - across - down + both) << 16;
}

void inverse_dct(const int16_t *block, int flat, const float *factors, int samples, int32_t *pairs) {
    if (flat) {
        int32_t sample = sample1((float)block[0] * factors[0] + MIDDLE);
        w8 both = (w8){0} + (sample | sample << 16);
        for (int x = 0; x < samples; x += 2)
            __builtin_memcpy(pairs + x / 2 * BLOCK, &both, (size_t)samples * sizeof *pairs);
    } else if (samples == 8)
        whole(block, factors, pairs);
    else if (samples == 4)
        half(block, factors, pairs);
    else
        quarter(block, factors, pairs);
}

int16_t mean_sample(int32_t dc, const float *factors) { return (int16_t)sample1((float)dc * factors[0] + MIDDLE); }
