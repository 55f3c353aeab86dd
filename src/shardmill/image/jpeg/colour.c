/* YCbCr to RGB as JFIF has it (ITU-T T.871, section 7), and sums of the result. */
#include "vectors.h"

static inline f8 sample(const struct resampler *plane, int32_t row, int32_t x) {
    s8 stored;
    __builtin_memcpy(&stored, plane->plane + (ptrdiff_t)row * plane->stride + x, sizeof stored);
    return __builtin_convertvector(stored, f8) * (1.0f / SAMPLE_ONE);
}

static inline b8 rounded(f8 x) {
    return __builtin_convertvector(__builtin_convertvector(clamped8(x + 0.5f, 255.5f), w8), b8);
}

/* Red, green and blue of eight pixels, one pixel after another. */
INLINE void store_pixels(uint8_t *rgb, b8 red, b8 green, b8 blue) {
    b16 two = __builtin_shufflevector(red, green, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    b16 third = __builtin_shufflevector(blue, blue, 0, 1, 2, 3, 4, 5, 6, 7, -1, -1, -1, -1, -1, -1, -1, -1);
    b32 pixels = __builtin_shufflevector(two, third, 0, 8, 16, 1, 9, 17, 2, 10, 18, 3, 11, 19, 4, 12, 20, 5, 13, 21, 6,
                                         14, 22, 7, 15, 23, -1, -1, -1, -1, -1, -1, -1, -1);
    __builtin_memcpy(rgb, &pixels, 24);
}

void planes_to_rgb(const struct resampler *planes, int32_t components, int32_t width, int32_t height, uint8_t *rgb) {
    for (int32_t row = 0; row < height; row++)
        for (int32_t x = 0; x < width; x += 8) {
            f8 y = sample(&planes[0], row, x), blue = {0}, red = {0};
            if (components == 3) {
                blue = sample(&planes[1], row, x) - 128.0f;
                red = sample(&planes[2], row, x) - 128.0f;
            }
            b8 r = rounded(y + red * 1.402f), g = rounded(y - blue * 0.344136286f - red * 0.714136286f);
            b8 b = rounded(y + blue * 1.772f);
            int32_t left = width - x < 8 ? width - x : 8;
            uint8_t pixels[24];
            store_pixels(left == 8 ? rgb : pixels, r, g, b);
            for (int32_t i = 0; left < 8 && i < 3 * left; i++) rgb[i] = pixels[i];
            rgb += 3 * left;
        }
}

/* Of every fourth row and column: the sum of each channel, then of its squares. Exact: a result has below 2^32 pixels. */
EXPORT void shardmill_pixel_sums(const uint8_t *rgb, int32_t width, int32_t height, uint64_t *sums) {
    for (int32_t row = 0; row < height; row += 4)
        for (int32_t x = 0; x < width; x += 4)
            for (int channel = 0; channel < 3; channel++) {
                uint64_t value = rgb[((ptrdiff_t)row * width + x) * 3 + channel];
                sums[channel] += value;
                sums[3 + channel] += value * value;
            }
}
