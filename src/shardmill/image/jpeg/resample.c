/* Antialiased resizing in integers, a band of eight rows at a time: first across, then down.

   Samples have 6 bits behind the point and weights 14; two of each share a word, whose products one instruction adds. */
#include "vectors.h"

enum { WEIGHT_BITS = 14, ONE = 1 << WEIGHT_BITS, MUCH = ONE / 256, ABREAST = 4 /* vectors summed side by side */ };

static int32_t rounded_up(int32_t length, int32_t unit) { return (length + unit - 1) / unit * unit; }

/* sin(pi x) for 0 <= x <= 3: an odd polynomial around the nearest integer (Taylor's, below 4e-6 off). */
static inline f8 sine_of_pi(f8 x) {
    w8 nearest = __builtin_convertvector(x + 0.5f, w8);
    f8 angle = (x - __builtin_convertvector(nearest, f8)) * 3.14159265f, square = angle * angle;
    f8 sum = 1.0f / 120 + square * (-1.0f / 5040 + square * (1.0f / 362880));
    sum = angle * (1.0f + square * (-1.0f / 6 + square * sum));
    return (nearest & 1) != 0 ? -sum : sum;
}

/* The Lanczos kernel. */
INLINE f8 lanczos(f8 x, float lobes) {
    f8 zero = {0}, angle = x * 3.14159265f;
    x = x < 0.0f ? -x : x;
    f8 value = lobes * sine_of_pi(x) * sine_of_pi(x * (1.0f / lobes)) / (angle * angle);
    value = x < 1e-4f ? zero + 1.0f : value;
    return x < lobes ? value : zero;
}

static inline int16_t to_nearest(float x) { return (int16_t)(x < 0 ? x - 0.5f : x + 0.5f); }

/* `weights` in whole numbers that add up to ONE, so that an even area stays what it is. */
static void quantize(const float *weights, int32_t taps, half_word *whole) {
    float sum = 0;
    for (int32_t t = 0; t < taps; t++) sum += weights[t];
    int32_t left = ONE, largest = 0;
    for (int32_t t = 0; t < taps; t++) {
        whole[t] = to_nearest(weights[t] / sum * ONE);
        left -= whole[t];
        if (whole[t] > whole[largest]) largest = t;
    }
    if (left > MUCH || left < -MUCH) { /* of thousands of weights, all small: each hands on what its rounding leaves */
        float carried = 0;
        left = ONE;
        for (int32_t t = 0; t < taps; t++) {
            if (weights[t] == 0) continue; /* behind the end of the source */
            float exact = weights[t] / sum * ONE + carried;
            whole[t] = to_nearest(exact);
            carried = exact - whole[t];
            left -= whole[t];
        }
    }
    whole[largest] = (int16_t)(whole[largest] + left);
}

int make_filter(struct arena *arena, int lobes, double from, double to, int32_t source, int32_t length,
                struct filter *filter) {
    static const f8 steps = {0, 1, 2, 3, 4, 5, 6, 7};
    double scale = (to - from) / length, stretch = scale > 1 ? scale : 1, support = lobes * stretch;
    int32_t pairs = ((int32_t)(2 * support) + 3) / 2, taps = 2 * pairs, padded = rounded_up(taps, 8);
    filter->length = length;
    filter->source = source;
    filter->pairs = pairs;
    filter->starts = taken(arena, (size_t)rounded_up(length, BLOCK) * sizeof *filter->starts);
    filter->weights = taken(arena, (size_t)rounded_up(length, BLOCK) * (size_t)pairs * sizeof *filter->weights);
    float *weights = taken(arena, (size_t)padded * sizeof *weights);
    if (weights == NULL) filter->weights = NULL;
    if (weights == NULL) return 0;
    for (int32_t i = 0; i < length; i++) {
        double centre = from + (i + 0.5) * scale;
        double edge = centre - support + 0.5; /* the first sample whose middle is reached */
        int32_t start = edge <= 0 ? 0 : (int32_t)edge / 2 * 2;
        for (int32_t t = 0; t < padded; t += 8)
            store8(weights + t, lanczos((steps + (float)(start + t + 0.5 - centre)) * (float)(1 / stretch), lobes));
        for (int32_t t = source - start; t < taps; t++) weights[t] = 0;
        quantize(weights, taps, (half_word *)(filter->weights + (ptrdiff_t)i * pairs));
        filter->starts[i] = start;
    }
    for (int32_t i = length; i < rounded_up(length, BLOCK); i++) { /* results that nobody looks at */
        filter->starts[i] = filter->starts[length - 1];
        for (int32_t p = 0; p < pairs; p++) filter->weights[(ptrdiff_t)i * pairs + p] = 0;
    }
    return 1;
}

int make_resampler(struct arena *arena, struct resampler *resampler) {
    int32_t stride = rounded_up(resampler->across.length, 8 * ABREAST);
    resampler->stride = stride;
    resampler->ring_pairs = resampler->down.pairs + BLOCK;
    resampler->pushed = resampler->made = 0;
    resampler->ring = taken(arena, (size_t)resampler->ring_pairs * (size_t)stride * sizeof *resampler->ring);
    resampler->plane = taken(arena, (size_t)resampler->down.length * (size_t)stride * sizeof *resampler->plane);
    return resampler->plane != NULL;
}

/* Eight results, from `x` on, of eight rows: [result][row]. `band` begins with `column`. */
INLINE void narrowed(const struct filter *across, const int32_t *band, int32_t column, int32_t x, w8 *sums) {
    const int32_t pairs = across->pairs, *weights = across->weights + (ptrdiff_t)x * pairs;
    for (int half = 0; half < 8; half += 4) { /* as many sums as do not wait for each other */
        const int32_t *from[4];
        for (int i = 0; i < 4; i++) {
            sums[half + i] = (w8){0} + ONE / 2;
            from[i] = band + (ptrdiff_t)((across->starts[x + half + i] - column) / 2) * BLOCK;
        }
        for (int32_t p = 0; p < pairs; p++)
            for (int i = 0; i < 4; i++)
                sums[half + i] =
                    plus_weighted(sums[half + i], loaded_words(from[i] + p * BLOCK), weights[(half + i) * pairs + p]);
    }
    for (int i = 0; i < 8; i++) sums[i] >>= WEIGHT_BITS;
}

static void make_row(const struct resampler *resampler, int32_t row) {
    const struct filter *down = &resampler->down;
    const int32_t *weights = down->weights + (ptrdiff_t)row * down->pairs;
    const int32_t stride = resampler->stride, start = down->starts[row] / 2 % resampler->ring_pairs;
    int16_t *plane = resampler->plane + (ptrdiff_t)row * stride;
    for (int32_t x = 0; x < stride; x += 8 * ABREAST) {
        w8 sums[ABREAST];
        for (int i = 0; i < ABREAST; i++) sums[i] = (w8){0} + ONE / 2;
        for (int32_t p = 0, place = start; p < down->pairs; p++) {
            const int32_t *from = resampler->ring + (ptrdiff_t)place * stride + x;
            for (int i = 0; i < ABREAST; i++) sums[i] = plus_weighted(sums[i], loaded_words(from + 8 * i), weights[p]);
            if (++place == resampler->ring_pairs) place = 0;
        }
        for (int i = 0; i < ABREAST; i++) {
            s8 stored = __builtin_convertvector(sums[i] >> WEIGHT_BITS, s8);
            __builtin_memcpy(plane + x + 8 * i, &stored, sizeof stored);
        }
    }
}

static void make_rows(struct resampler *resampler) {
    const struct filter *down = &resampler->down;
    int ended = resampler->pushed == down->source;
    while (resampler->made < down->length &&
           (ended || down->starts[resampler->made] + 2 * down->pairs <= resampler->pushed))
        make_row(resampler, resampler->made++);
}

void push_band(struct resampler *resampler, const int32_t *band, int32_t column, int32_t rows) {
    for (int32_t x = 0; x < resampler->across.length; x += 8) {
        w8 square[8];
        narrowed(&resampler->across, band, column, x, square);
        TRANSPOSE8(w8, square);
        for (int32_t y = 0; y < 8; y += 2) {
            int32_t place = (resampler->pushed + y) / 2 % resampler->ring_pairs;
            store_words(resampler->ring + (ptrdiff_t)place * resampler->stride + x, paired8(square[y], square[y + 1]));
        }
    }
    resampler->pushed += rows;
    make_rows(resampler);
}

void pass_band(struct resampler *resampler, int32_t rows) {
    resampler->pushed += rows;
    make_rows(resampler);
}
