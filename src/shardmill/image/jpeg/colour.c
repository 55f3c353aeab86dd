/* YCbCr to RGB as JFIF has it (ITU-T T.871, section 7). */
#include "vectors.h"

static inline f8 sample(const struct resampler *plane, int32_t row, int32_t x) {
    s8 stored;
    __builtin_memcpy(&stored, plane->plane + (ptrdiff_t)row * plane->stride + x, sizeof stored);
    return __builtin_convertvector(stored, f8) * (1.0f / SAMPLE_ONE);
}

static inline b8 rounded(f8 x) {
    return __builtin_convertvector(__builtin_convertvector(clamped8(x + 0.5f, 255.5f), w8), b8);
}

void planes_to_rgb(const struct resampler *planes, int32_t components, int32_t width, int32_t height, uint8_t *rgb) {
    for (int32_t row = 0; row < height; row++)
        for (int32_t x = 0; x < width; x += 8, rgb += 24) {
            f8 y = sample(&planes[0], row, x), blue = {0}, red = {0};
            if (components == 3) {
                blue = sample(&planes[1], row, x) - 128.0f;
                red = sample(&planes[2], row, x) - 128.0f;
            }
            b8 r = rounded(y + red * 1.402f), g = rounded(y - blue * 0.344136286f - red * 0.714136286f);
            b8 b = rounded(y + blue * 1.772f);
            uint8_t pixels[24];
            for (int i = 0; i < 8; i++) pixels[3 * i] = r[i], pixels[3 * i + 1] = g[i], pixels[3 * i + 2] = b[i];
            int32_t left = width - x;
            if (left >= 8) {
                __builtin_memcpy(rgb, pixels, sizeof pixels);
                continue;
            }
            for (int32_t i = 0; i < 3 * left; i++) rgb[i] = pixels[i];
            rgb -= 3 * (8 - left);
        }
}
