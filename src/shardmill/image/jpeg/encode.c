/* RGB to a baseline JPEG in a JFIF file (ITU-T T.81 and T.871), MCU by MCU. */
#include "vectors.h"

struct encoding {
    const uint8_t *rgb; /* [height][width][3] */
    uint8_t *jpeg;
    uint64_t room;         /* bytes at `jpeg` */
    uint64_t size;         /* set: of the JPEG, or NO_ROOM: the room that it needs */
    int32_t width, height; /* 1 to 65500 */
    int32_t quality;       /* 1 to 100 */
    int32_t h, v;          /* samples of Y for one of Cb and Cr, each way: 1 or 2 */
};

enum {
    BLOCK_BYTES = (20 + 63 * 26 + 7) / 8, /* that a block's codes take at the most */
    MAX_BLOCKS = 6,                       /* of an MCU */
    MCU_BYTES = MAX_BLOCKS * BLOCK_BYTES + 8,
    CHUNK_BYTES = 4096, /* of codes, before they are stuffed */
    VECTOR = 32,        /* bytes */
    LENGTH_BITS = 6,
    LENGTH_MASK = (1 << LENGTH_BITS) - 1,
    RUNS = 16,    /* of zeros that a code can tell: 0 to 15 */
    CLASSES = 32, /* of values: their size in bits, and NEGATIVE where they are */
    NEGATIVE = 16,
    MOST_DIFFERENCE = 2047, /* of two DC coefficients */
};

/* Where a coefficient is: columns are stored in pairs, two coefficients of a row side by side. */
#define PLACE(row, column) ((column) / 2 * 16 + (row) * 2 + ((column) & 1))

/* A Huffman code and the bits of a value: `both << LENGTH_BITS | length of both`, where the value itself is still to be added to
   both. */
typedef uint32_t code_entry;

struct codes {
    code_entry dc[CLASSES];        /* by class of the difference */
    code_entry ac[CLASSES * RUNS]; /* by class of the value and then run of zeros */
    code_entry zrl, eob;
};

struct quantizer {
    uint8_t steps[COEFFICIENTS];              /* in zigzag order */
    _Alignas(32) float factors[COEFFICIENTS]; /* of what `forward8` leaves, by column and row */
    _Alignas(32) float middle[8];             /* by which the first column is too large, for samples not around zero */
};

struct encoder {
    const struct encoding *encoding;
    struct codes luminance, chrominance;
    struct quantizer y, cb, cr;
    uint64_t size; /* of what is written, or would be */
    int full;      /* there was no room for it */
    uint8_t unstuffed[CHUNK_BYTES + MCU_BYTES + VECTOR];
};

struct block {
    _Alignas(64) int16_t coefficients[COEFFICIENTS]; /* see PLACE */
    uint64_t lively; /* which of them are not zero, in zigzag order from the lowest bit */
};

static const double AWAY_FROM_ZERO = 1 + 1.0 / (1 << 18); /* this little more, and halves are rounded so */

/* --- tables: T.81, annex K ---------------------------------------------------------------------------------------- */

static const uint8_t luminance_steps[COEFFICIENTS] = {
    16, 11,  10,  16, 24, 40, 51, 61, 12,  12,  14,  19,  26, 58, 60, 55,  14,  13,  16,  24, 40, 57,
    69, 56,  14,  17, 22, 29, 51, 87, 80,  62,  18,  22,  37, 56, 68, 109, 103, 77,  24,  35, 55, 64,
    81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98,  112, 100, 103, 99,
};

static const uint8_t chrominance_steps[COEFFICIENTS] = {
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99,
    99, 99, 47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
};

/* How many codes there are of 1 to 16 bits, then their symbols in order: as they stand in a DHT segment. */
static const uint8_t luminance_dc[16 + 12] = {0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0,  0,
                                              0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static const uint8_t chrominance_dc[16 + 12] = {0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0,  0,
                                                0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static const uint8_t luminance_ac[16 + 162] = {
    0,    2,    1,    3,    3,    2,    4,    3,    5,    5,    4,    4,    0,    0,    1,    0x7D, 0x01, 0x02,
    0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32,
    0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09,
    0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39,
    0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63,
    0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84, 0x85,
    0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5,
    0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5,
    0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2, 0xE3, 0xE4,
    0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA,
};

static const uint8_t chrominance_ac[16 + 162] = {
    0,    2,    1,    2,    4,    4,    3,    4,    7,    5,    4,    4,    0,    1,    2,    0x77, 0x00, 0x01,
    0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22, 0x32, 0x81,
    0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09, 0x23, 0x33, 0x52, 0xF0, 0x15, 0x62, 0x72, 0xD1, 0x0A, 0x16,
    0x24, 0x34, 0xE1, 0x25, 0xF1, 0x17, 0x18, 0x19, 0x1A, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x35, 0x36, 0x37, 0x38,
    0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A,
    0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x82, 0x83,
    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3,
    0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3,
    0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE2, 0xE3,
    0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA,
};

/* Of values from -MOST_DIFFERENCE on: class * RUNS. */
#define OF_SIZE(bits)                                                                                                  \
    [MOST_DIFFERENCE - (1 << bits) + 1 ... MOST_DIFFERENCE -                                                           \
        (1 << (bits - 1))] = (NEGATIVE + bits) * RUNS,                                                                 \
                      [MOST_DIFFERENCE + (1 << (bits - 1))... MOST_DIFFERENCE + (1 << bits) - 1] = bits * RUNS
static const uint16_t classes[2 * MOST_DIFFERENCE + 1] = {
    OF_SIZE(1), OF_SIZE(2), OF_SIZE(3), OF_SIZE(4),  OF_SIZE(5),  OF_SIZE(6),
    OF_SIZE(7), OF_SIZE(8), OF_SIZE(9), OF_SIZE(10), OF_SIZE(11),
};
#undef OF_SIZE

/* T.81, C.2 and F.1.2.1: codes of one length count up, and the bits of a negative value are those of the value below it. */
static void build_codes(const uint8_t *dc, const uint8_t *ac, struct codes *codes) {
    for (int is_dc = 0; is_dc < 2; is_dc++) {
        const uint8_t *counts = is_dc ? dc : ac, *symbol = counts + 16;
        uint32_t code = 0;
        for (uint32_t length = 1; length <= 16; length++, code <<= 1)
            for (int i = 0; i < counts[length - 1]; i++, code++, symbol++) {
                uint32_t size = *symbol & 15;
                code_entry positive = code << size << LENGTH_BITS | (length + size);
                code_entry negative = positive + (((1u << size) - 1) << LENGTH_BITS);
                code_entry *of_class = is_dc ? codes->dc : codes->ac + (*symbol >> 4);
                uint32_t stride = is_dc ? 1 : RUNS;
                of_class[size * stride] = positive;
                of_class[(NEGATIVE + size) * stride] = negative;
            }
    }
    codes->zrl = codes->ac[RUNS - 1];
    codes->eob = codes->ac[0];
}

/* The steps of annex K for a quality as the library of the Independent JPEG Group counts it, and what they make of samples that
   are `weight` times too large and around `middle`. */
static void build_quantizer(const uint8_t *steps, int32_t quality, float middle, double weight,
                            struct quantizer *quantizer) {
    for (int i = 0; i < BLOCK; i++) quantizer->middle[i] = i == 0 ? middle * COEFFICIENTS : 0;
    int32_t percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    for (int i = 0; i < COEFFICIENTS; i++) {
        int row = zigzag[i] / 8, column = zigzag[i] % 8;
        int32_t step = (steps[zigzag[i]] * percent + 50) / 100;
        step = step < 1 ? 1 : step > 255 ? 255 : step;
        quantizer->steps[i] = (uint8_t)step;
        double factor = 1 / (step * dct_scale[row] * dct_scale[column] * 8 * weight);
        quantizer->factors[8 * column + row] = (float)(factor * AWAY_FROM_ZERO);
    }
}

/* --- header: T.81, annex B ---------------------------------------------------------------------------------------- */

static uint8_t *put_word(uint8_t *to, int32_t word) {
    to[0] = (uint8_t)(word >> 8), to[1] = (uint8_t)word;
    return to + 2;
}

static uint8_t *put_bytes(uint8_t *to, const void *bytes, size_t size) {
    __builtin_memcpy(to, bytes, size);
    return to + size;
}

static uint8_t *put_quantizer(uint8_t *to, uint8_t slot, const uint8_t *steps) {
    const uint8_t start[5] = {0xFF, 0xDB, 0, 3 + COEFFICIENTS, slot};
    return put_bytes(put_bytes(to, start, sizeof start), steps, COEFFICIENTS);
}

static uint8_t *put_huffman_table(uint8_t *to, uint8_t slot, const uint8_t *table, uint8_t size) {
    const uint8_t start[5] = {0xFF, 0xC4, 0, 3 + size, slot};
    return put_bytes(put_bytes(to, start, sizeof start), table, size);
}

enum {
    HEADER_SIZE = 20 + 2 * (5 + COEFFICIENTS) + 19 + 2 * (5 + 28) + 2 * (5 + 178) + 14,
};

static uint8_t *put_header(uint8_t *to, const struct encoding *encoding, const struct encoder *encoder) {
    /* SOI and APP0: version 1.1, pixels are square, no thumbnail */
    static const uint8_t start[20] = {0xFF, 0xD8, 0xFF, 0xE0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0};
    static const uint8_t scan[14] = {0xFF, 0xDA, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, COEFFICIENTS - 1, 0};
    static const uint8_t frame[5] = {0xFF, 0xC0, 0, 17, 8};
    to = put_bytes(to, start, sizeof start);
    to = put_quantizer(to, 0, encoder->y.steps);
    to = put_quantizer(to, 1, encoder->cb.steps);
    to = put_bytes(to, frame, sizeof frame);
    to = put_word(put_word(to, encoding->height), encoding->width);
    const uint8_t components[10] = {3, 1, (uint8_t)(encoding->h << 4 | encoding->v), 0, 2, 0x11, 1, 3, 0x11, 1};
    to = put_bytes(to, components, sizeof components);
    to = put_huffman_table(to, 0x00, luminance_dc, sizeof luminance_dc);
    to = put_huffman_table(to, 0x10, luminance_ac, sizeof luminance_ac);
    to = put_huffman_table(to, 0x01, chrominance_dc, sizeof chrominance_dc);
    to = put_huffman_table(to, 0x11, chrominance_ac, sizeof chrominance_ac);
    return put_bytes(to, scan, sizeof scan);
}

/* --- transform ---------------------------------------------------------------------------------------------------- */

typedef int8_t flag32 __attribute__((ext_vector_type(32)));
typedef int8_t flag64 __attribute__((ext_vector_type(64)));
typedef int16_t s16 __attribute__((ext_vector_type(16)));
typedef _Bool m32 __attribute__((ext_vector_type(32)));

/* Eight RGB pixels to Y, and to B - Y and R - Y, of which Cb and Cr are multiples. */
INLINE void take_pixels(const uint8_t *rgb, f8 *y, f8 *blue, f8 *red) {
    b16 first, last;
    __builtin_memcpy(&first, rgb, sizeof first);
    __builtin_memcpy(&last, rgb + 8, sizeof last);
    b32 both = __builtin_shufflevector(first, last, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
                                       19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31),
        zero = {0};
#define EIGHT(i)                                                                                                       \
    __builtin_convertvector((w8)__builtin_shufflevector(both, zero, i, 32, 32, 32, i + 3, 32, 32, 32, i + 6, 32, 32,   \
                                                        32, i + 9, 32, 32, 32, i + 20, 32, 32, 32, i + 23, 32, 32, 32, \
                                                        i + 26, 32, 32, 32, i + 29, 32, 32, 32),                       \
                            f8)
    f8 r = EIGHT(0), g = EIGHT(1), b = EIGHT(2);
#undef EIGHT
    *y = r * 0.299f + g * 0.587f + b * 0.114f;
    *blue = b - *y;
    *red = r - *y;
}

/* One pass of eight points over the vectors of `a`: Arai, Agui and Nakajima, "A fast DCT-SQ scheme for images", Trans. IEICE
   E71 (1988). Coefficient k is left too large by sqrt(8) cos(k pi / 16), and by sqrt(8) for k = 0. */
INLINE void forward8(f8 *a) {
    f8 s0 = a[0] + a[7], s1 = a[1] + a[6], s2 = a[2] + a[5], s3 = a[3] + a[4];
    f8 d0 = a[0] - a[7], d1 = a[1] - a[6], d2 = a[2] - a[5], d3 = a[3] - a[4];
    f8 outer = s0 + s3, inner = s1 + s2, across = s0 - s3;
    f8 turned = (s1 - s2 + across) * 0.707106781f;
    a[0] = outer + inner, a[4] = outer - inner, a[2] = across + turned, a[6] = across - turned;
    f8 low = d3 + d2, high = d1 + d0, middle = (d2 + d1) * 0.707106781f, shared = (low - high) * 0.382683433f;
    f8 plus = d0 + middle, minus = d0 - middle;
    low = low * 0.541196100f + shared, high = high * 1.306562965f + shared;
    a[5] = minus + low, a[3] = minus - low, a[1] = plus + high, a[7] = plus - high;
}

/* 1.5 * 2^23: a sum with it has the other number, rounded, in its low bits. */
static const float ROUNDER = 12582912.0f;

/* Which words of two vectors are zero, those of the second in the high bytes. */
INLINE flag32 zeros_of(s16 first, s16 second) {
    return (flag32)(((first == 0) & 0x00FF) | ((second == 0) & (int16_t)0xFF00));
}

/* The highest bit of each. */
INLINE uint64_t bit_mask(flag32 flags) {
    uint32_t mask;
#ifdef __AVX2__
    __asm__("vpmovmskb %1, %0" : "=r"(mask) : "x"(flags)); /* which clang does in ten steps where there is AVX-512 */
#else
    m32 bits = __builtin_convertvector(flags < 0, m32);
    __builtin_memcpy(&mask, &bits, sizeof mask);
#endif
    return mask;
}

static const uint8_t places[COEFFICIENTS] = {ZIGZAG(PLACE)};

/* Where `zeros_of` leaves a coefficient's flag: columns 0 to 3 are in a vector of their own. */
#define FLAG(row, column) ((column) / 4 * 32 + (row) * 4 + ((column) & 1) * 2 + ((column) >> 1 & 1))

INLINE uint64_t zigzag_mask(flag32 first, flag32 second) {
    flag64 ordered = __builtin_shufflevector(first, second, ZIGZAG(FLAG));
    return bit_mask(ordered.lo) | bit_mask(ordered.hi) << 32;
}

/* Eight rows of samples to a block. Nothing needs to be clamped: as no sample is more than 127.5 from the middle, AC
   coefficients are within 1020, and DC coefficients within 1024. */
INLINE void transform(f8 *a, const struct quantizer *quantizer, struct block *block) {
    forward8(a);
    TRANSPOSE8(f8, a);
    forward8(a);
    a[0] -= load8(quantizer->middle);
    s16 pairs[4];
    for (int i = 0; i < 4; i++) {
        f8 even = a[2 * i] * load8(quantizer->factors + 16 * i) + ROUNDER;
        f8 odd = a[2 * i + 1] * load8(quantizer->factors + 16 * i + 8) + ROUNDER;
        pairs[i] = (s16)paired8((w8)even, (w8)odd);
        __builtin_memcpy(block->coefficients + 16 * i, &pairs[i], sizeof pairs[i]);
    }
    block->lively = ~zigzag_mask(zeros_of(pairs[0], pairs[1]), zeros_of(pairs[2], pairs[3]));
}

/* Sums of neighbours. */
INLINE f8 halved(f8 left, f8 right) {
    return __builtin_shufflevector(left, right, 0, 2, 4, 6, 8, 10, 12, 14) +
           __builtin_shufflevector(left, right, 1, 3, 5, 7, 9, 11, 13, 15);
}

/* --- entropy coding: T.81, annex F.1 ------------------------------------------------------------------------------ */

struct writer {
    uint64_t bits; /* the last `held` of them are still to be written */
    uint32_t held; /* in the low bits, as of `code_entry`; the others mean nothing */
    uint8_t *at;
};

INLINE void put(struct writer *writer, code_entry entry, int64_t value) {
    writer->bits = writer->bits << (entry & LENGTH_MASK) | ((entry >> LENGTH_BITS) + (uint64_t)value);
    writer->held += entry;
}

/* Leaves fewer than 8 bits held. */
INLINE void write_out(struct writer *writer) {
    uint64_t next = __builtin_bswap64(writer->bits << (-writer->held & 63));
    __builtin_memcpy(writer->at, &next, sizeof next);
    writer->at += (writer->held & LENGTH_MASK) / 8;
    writer->held %= 8;
}

/* The next of those that are `left`, after number `last`. */
INLINE void put_coefficient(struct writer *writer, const int16_t *coefficients, uint64_t *left, uint64_t *last,
                            const struct codes *codes, const uint16_t *class) {
    uint64_t k = (uint64_t)__builtin_ctzll(*left), step = k - *last;
    *left &= *left - 1;
    *last = k;
    if (UNLIKELY(step > RUNS)) {
        write_out(writer);
        for (; step > RUNS; step -= RUNS) {
            put(writer, codes->zrl, 0);
            write_out(writer);
        }
    }
    int64_t value = coefficients[places[k]];
    put(writer, codes->ac[class[value] + step - 1], value);
}

/* At the most 20 bits of the DC coefficient, 26 of each other, and 4 of the end come together with 7 from before. */
INLINE void put_block(struct writer *writer, const struct block *block, const struct codes *codes,
                      int32_t *prediction) {
    const uint16_t *class = classes + MOST_DIFFERENCE;
    int32_t dc = block->coefficients[0], difference = dc - *prediction;
    *prediction = dc;
    put(writer, codes->dc[class[difference] / RUNS], difference);
    uint64_t left = block->lively & ~(uint64_t)1, last = 0;
    while (left) {
        put_coefficient(writer, block->coefficients, &left, &last, codes, class);
        write_out(writer);
        if (!left) break;
        put_coefficient(writer, block->coefficients, &left, &last, codes, class);
    }
    if (last < COEFFICIENTS - 1) put(writer, codes->eob, 0);
    write_out(writer);
}

/* A zero behind each byte of ones. `from` is read, and `to` written, up to VECTOR bytes further. */
static uint8_t *stuffed(const uint8_t *from, const uint8_t *end, uint8_t *to) {
    while (from < end) {
        b32 bytes;
        __builtin_memcpy(&bytes, from, sizeof bytes);
        __builtin_memcpy(to, &bytes, sizeof bytes);
        uint64_t ones = bit_mask((flag32)(bytes == 0xFF)), left = (uint64_t)(end - from);
        if (left < VECTOR) ones &= ((uint64_t)1 << left) - 1;
        uint64_t step = ones ? (uint64_t)__builtin_ctzll(ones) + 1 : left < VECTOR ? left : VECTOR;
        from += step;
        to += step;
        if (ones) *to++ = 0;
    }
    return to;
}

/* Hands on what is coded up to `end`, or only counts it where there is no room. */
static void hand_on(struct encoder *encoder, const uint8_t *end) {
    const struct encoding *encoding = encoder->encoding;
    const uint8_t *from = encoder->unstuffed;
    encoder->full |= encoder->size + 2 * (uint64_t)(end - from) + VECTOR > encoding->room;
    if (encoder->full)
        for (; from < end; from++) encoder->size += 1 + (*from == 0xFF);
    else
        encoder->size = (uint64_t)(stuffed(from, end, encoding->jpeg + encoder->size) - encoding->jpeg);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

struct mcu {
    const uint8_t *rgb;
    ptrdiff_t stride;
    uint32_t outside; /* a bit for each block of Y that is wholly beyond the image */
};

/* An MCU that reaches beyond the image: the last column and row are repeated. */
static struct mcu filled_mcu(const struct encoding *encoding, int32_t left, int32_t top, uint8_t *tile) {
    const int32_t h = encoding->h, v = encoding->v, last_x = encoding->width - 1, last_y = encoding->height - 1;
    struct mcu filled = {tile, BLOCK * h * 3, 0};
    for (int32_t row = 0; row < BLOCK * v; row++)
        for (int32_t column = 0; column < BLOCK * h; column++, tile += 3) {
            int32_t x = left + column < last_x ? left + column : last_x, y = top + row < last_y ? top + row : last_y;
            __builtin_memcpy(tile, encoding->rgb + ((size_t)y * (size_t)encoding->width + (size_t)x) * 3, 3);
        }
    for (int32_t i = 1; i < h * v; i++)
        if (left + i % h * BLOCK > last_x || top + i / h * BLOCK > last_y) filled.outside |= 1u << i;
    return filled;
}

/* Transforms the blocks of an MCU, and codes each when the next is transformed, so that a processor can be at both at once:
   one takes its vector units, the other those for integers. The last of the MCU before is coded here, that of this is not. */
INLINE void encode_mcu(const struct encoder *encoder, const struct mcu *mcu, int first, int h, int v,
                       struct block *blocks, struct writer *writer, int32_t *predictions) {
    f8 y[4][8], blue[8], red[8];
    const uint8_t *rgb = mcu->rgb;
    for (int row = 0; row < BLOCK * v; row++, rgb += mcu->stride) {
        f8 b[2], r[2];
        for (int i = 0; i < h; i++) take_pixels(rgb + 24 * i, &y[row / BLOCK * h + i][row % BLOCK], &b[i], &r[i]);
        if (h == 2) b[0] = halved(b[0], b[1]), r[0] = halved(r[0], r[1]);
        int to = row >> (v - 1), more = row & (v - 1);
        blue[to] = more ? blue[to] + b[0] : b[0];
        red[to] = more ? red[to] + r[0] : r[0];
    }
    struct block *cb = blocks + h * v, *cr = cb + 1;
    transform(y[0], &encoder->y, blocks);
    if (LIKELY(!first)) put_block(writer, cr, &encoder->chrominance, &predictions[2]);
    for (int i = 1; i < h * v; i++) {
        transform(y[i], &encoder->y, blocks + i);
        if (UNLIKELY(mcu->outside >> i & 1)) { /* what takes the fewest bits */
            blocks[i].coefficients[0] = blocks[i - 1].coefficients[0];
            blocks[i].lively = 0;
        }
        put_block(writer, blocks + i - 1, &encoder->luminance, &predictions[0]);
    }
    transform(blue, &encoder->cb, cb);
    put_block(writer, cb - 1, &encoder->luminance, &predictions[0]);
    transform(red, &encoder->cr, cr);
    put_block(writer, cb, &encoder->chrominance, &predictions[1]);
}

INLINE void encode_mcus(struct encoder *encoder, int h, int v) {
    const struct encoding *encoding = encoder->encoding;
    const int32_t side_x = BLOCK * h, side_y = BLOCK * v;
    uint8_t tile[3 * 4 * COEFFICIENTS];
    struct block blocks[MAX_BLOCKS];
    int32_t predictions[MAX_COMPONENTS] = {0};
    struct writer writer = {0, 0, encoder->unstuffed};
    int first = 1; /* (left | top) == 0, which costs more */
    for (int32_t top = 0; top < encoding->height; top += side_y)
        for (int32_t left = 0; left < encoding->width; left += side_x) {
            size_t start = ((size_t)top * (size_t)encoding->width + (size_t)left) * 3;
            struct mcu mcu = {encoding->rgb + start, (ptrdiff_t)encoding->width * 3, 0};
            if (UNLIKELY(left + side_x > encoding->width || top + side_y > encoding->height))
                mcu = filled_mcu(encoding, left, top, tile);
            encode_mcu(encoder, &mcu, first, h, v, blocks, &writer, predictions);
            first = 0;
            if (writer.at >= encoder->unstuffed + CHUNK_BYTES) {
                hand_on(encoder, writer.at);
                writer.at = encoder->unstuffed;
            }
        }
    put_block(&writer, blocks + h * v + 1, &encoder->chrominance, &predictions[2]);
    put(&writer, 127 << LENGTH_BITS | 7, 0); /* T.81, F.1.2.3: the last byte is filled with ones */
    write_out(&writer);
    hand_on(encoder, writer.at);
    if (!encoder->full) put_word(encoding->jpeg + encoder->size, 0xFFD9);
    encoder->size += 2;
}

static void prepare(const struct encoding *encoding, struct encoder *encoder) {
    double samples = encoding->h * encoding->v;
    encoder->encoding = encoding;
    build_codes(luminance_dc, luminance_ac, &encoder->luminance);
    build_codes(chrominance_dc, chrominance_ac, &encoder->chrominance);
    build_quantizer(luminance_steps, encoding->quality, 128, 1, &encoder->y);
    build_quantizer(chrominance_steps, encoding->quality, 0, 1.772 * samples, &encoder->cb);
    build_quantizer(chrominance_steps, encoding->quality, 0, 1.402 * samples, &encoder->cr);
    encoder->full = encoding->room < HEADER_SIZE;
    encoder->size = HEADER_SIZE;
}

static int possible(const struct encoding *encoding) {
    return encoding->width >= 1 && encoding->width <= MAX_SIDE && encoding->height >= 1 &&
           encoding->height <= MAX_SIDE && encoding->quality >= 1 && encoding->quality <= 100 && encoding->h >= 1 &&
           encoding->h <= 2 && encoding->v >= 1 && encoding->v <= encoding->h;
}

EXPORT int32_t shardmill_jpeg_encode(struct encoding *encoding) {
    if (!possible(encoding)) return NOT_TAKEN;
    struct encoder encoder;
    prepare(encoding, &encoder);
    if (!encoder.full) put_header(encoding->jpeg, encoding, &encoder);
    if (encoding->h == 1)
        encode_mcus(&encoder, 1, 1);
    else
        encode_mcus(&encoder, 2, encoding->v);
    encoding->size = encoder.size + (encoder.full ? 2 * (CHUNK_BYTES + MCU_BYTES) + VECTOR : 0);
    return encoder.full ? NO_ROOM : DONE;
}
