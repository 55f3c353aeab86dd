/* Colours of a profile of curves and a matrix (ICC.1, F.3) in sRGB. */
#include "codec.h"

enum { LEVELS = 256, STEPS = 1 << 14 /* of linear light, fine enough for the steep start of sRGB's curve */ };

struct colours {
    float linear[3][LEVELS]; /* light of each value of each channel, 0 to 1 */
    float matrix[3][3];      /* to the light of sRGB's red, green and blue, in STEPS */
    uint8_t encoded[STEPS + 1];
};

INLINE uint8_t encoded(const struct colours *colours, float light) {
    light = light > 0 ? light : 0;
    light = light < STEPS ? light : STEPS;
    return colours->encoded[(int32_t)(light + 0.5f)];
}

EXPORT void shardmill_to_srgb(const uint8_t *from, uint8_t *to, uint64_t pixels, const struct colours *colours) {
    const float (*m)[3] = colours->matrix;
    for (uint64_t i = 0; i < pixels; i++, from += 3, to += 3) {
        float r = colours->linear[0][from[0]], g = colours->linear[1][from[1]], b = colours->linear[2][from[2]];
        to[0] = encoded(colours, m[0][0] * r + m[0][1] * g + m[0][2] * b);
        to[1] = encoded(colours, m[1][0] * r + m[1][1] * g + m[1][2] * b);
        to[2] = encoded(colours, m[2][0] * r + m[2][1] * g + m[2][2] * b);
    }
}
