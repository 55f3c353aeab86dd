/* The JPEG codec: what its parts share. Freestanding C: no library is called, no memory is taken but the caller's. */
#ifndef SHARDMILL_CODEC_H
#define SHARDMILL_CODEC_H

#include <stddef.h>
#include <stdint.h>

typedef int16_t __attribute__((may_alias)) half_word; /* either of the two that share a word */

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

enum {
    MAX_SIDE = 65500,  /* of an image, in libjpeg-turbo */
    BLOCK = 8,         /* samples of a side of a block, and rows of a band */
    COEFFICIENTS = 64, /* of a block */
    MAX_COMPONENTS = 3,
    MAX_SAMPLING = 4,    /* sampling factor of a component, each way */
    MAX_MCU_BLOCKS = 10, /* T.81, B.2.3 */
    OVERRUN = 80,        /* coefficients behind the last that may be written before the block is found to be full */
    BLOCK_ROOM = COEFFICIENTS + 8, /* all of those fall on the first behind it */
    SAMPLE_ONE = 64,               /* samples of 0 to 255 have six bits behind the point */
};

/* What became of a request. The caller's slower decoder deals with whatever is not DONE, and words the refusals. */
enum outcome {
    DONE = 0,
    NOT_TAKEN = 1, /* a JPEG of a kind that is not read here */
    DAMAGED = 2,
    NO_ROOM = 3, /* the scratch memory is too small; `scratch_needed` says what is */
};

/* --- memory: a stack in the caller's scratch ---------------------------------------------------------------------- */

struct arena {
    uint8_t *memory;
    size_t size;
    size_t used; /* may pass `size`: then nothing was handed out, and it says how much is needed */
};

/* `bytes` on a cache line of their own; NULL where the scratch is too small. */
void *taken(struct arena *arena, size_t bytes);

/* --- stream: markers and tables ----------------------------------------------------------------------------------- */

struct component {
    uint8_t id;
    uint8_t h, v; /* sampling factors */
    uint8_t quantizer;
    uint8_t dc, ac;        /* Huffman tables */
    int32_t width, height; /* in samples */
};

/* A DHT segment's table: how many codes there are of each length, and their symbols in order. */
struct huffman_spec {
    uint8_t counts[17];
    uint8_t symbols[256];
    uint8_t defined;
};

struct frame {
    int32_t width, height;
    int32_t components;
    struct component component[MAX_COMPONENTS];
    int32_t transform;                    /* of the colours, as Adobe's segment numbers them */
    int32_t profile_parts, profile_total; /* that have been seen, and that there are */
    int32_t h_max, v_max;
    int32_t mcu_columns, mcu_rows;
    uint16_t quantizers[4][COEFFICIENTS]; /* in zigzag order */
    uint8_t quantizer_defined[4];
    struct huffman_spec dc[4], ac[4];
    int32_t restart_interval; /* MCUs; 0: none */
    const uint8_t *scan;      /* the entropy-coded data, up to the end of the file */
    size_t scan_size;
};

enum outcome read_frame(const uint8_t *data, size_t size, struct frame *frame);

/* --- scan: entropy-coded data ------------------------------------------------------------------------------------- */

struct bits {
    uint64_t window; /* the next bits, from the top */
    uint64_t count;  /* of them that are there, in the low 6 bits; the others mean nothing */
    const uint8_t *at;
};

enum {
    SCAN_MARGIN = 2304, /* more than an MCU has, or can read past the end of the data */
    RST0 = 0xD0,
    EOI = 0xD9,
    GOES_ON = -1,
    CUT_SHORT = -2,
};

#ifndef SCAN_ROOM           /* which the fuzz target makes small */
#define SCAN_ROOM (1 << 16) /* in the second cache */
#endif

/* Data on its way from the file to `struct bits`, a segment after another. */
struct scan {
    const uint8_t *at, *end; /* of the file, what is left */
    uint8_t *bytes;          /* [SCAN_ROOM + SCAN_MARGIN] without stuffing */
    uint8_t *filled;         /* end of what is there */
    const uint8_t *low;      /* from here on, the next MCU may not be there whole */
    int marker;              /* that ends the segment, if it is there up to its end */
};

/* The segment at `scan->at`; 0 if the file ends in it, as far as it is seen. */
int start_segment(struct scan *scan, struct bits *bits);
/* What follows, for bits that have passed `scan->low`; 0 if nothing does and the segment has been read past its end. */
int more(struct scan *scan, struct bits *bits);
/* Whether the segment has been read up to its last byte and `marker` ends it. */
int ends_with(const struct scan *scan, const struct bits *bits, int marker);

/* --- entropy: Huffman codes --------------------------------------------------------------------------------------- */

enum {
    CODE_BITS = 11, /* looked up at once, for the values of two symbols if they fit */
    SKIP_BITS = 13, /* looked up at once, where symbols are only passed over, as many as fit */
};

struct huffman {
    struct huffman_spec spec;
    int is_dc;
    uint32_t limits[17]; /* by length: the first code, in 16 bits from the left, that is longer */
    int32_t offsets[17]; /* by length: from codes to places in spec.symbols */
    uint32_t entries[1 << CODE_BITS];
    uint16_t firsts[1 << CODE_BITS]; /* the first code alone: its length (high byte) and symbol; 0: longer */
    int skips_built;
    uint16_t skips[1 << SKIP_BITS];
};

/* `table` stays as it is if it was built of the same codes before; zeros count as never built. */
enum outcome build_huffman(const struct huffman_spec *spec, int is_dc, struct huffman *table);
/* For an AC table of which much will be passed over. */
void build_skips(struct huffman *table);

/* The difference of a DC coefficient; INT32_MIN for a code that does not exist. */
int32_t read_dc(struct bits *bits, const struct huffman *table);
/* AC coefficients up to number `last` in zigzag order into `block`, which holds zeros and has BLOCK_ROOM; the rest is passed
   over. Whether there were any, or -1 for damage. */
int read_ac(struct bits *bits, const struct huffman *table, int last, int16_t *block);

/* All AC coefficients of a block; 0 for damage. */
int pass_ac(struct bits *bits, const struct huffman *table);

/* --- inverse DCT -------------------------------------------------------------------------------------------------- */

/* Factors of the coefficients, in the order of their storage, for `inverse_dct` at `samples` (1, 2, 4, 8) a side. */
void scale_quantizer(const uint16_t *zigzag, int samples, float *factors);

/* The samples of a block at 2, 4 or 8 each way. Columns 2i and 2i + 1, side by side in a word, go to pairs[8 * i], row by
   row. `flat`: there are no AC coefficients. */
void inverse_dct(const int16_t *block, int flat, const float *factors, int samples, int32_t *pairs);
/* The sample of a block at 1 each way. */
int16_t mean_sample(int32_t dc, const float *factors);

/* P(row, column) of each coefficient in zigzag order (T.81, figure A.6). */
#define ZIGZAG(P)                                                                                                      \
    P(0, 0), P(0, 1), P(1, 0), P(2, 0), P(1, 1), P(0, 2), P(0, 3), P(1, 2), P(2, 1), P(3, 0), P(4, 0), P(3, 1),        \
        P(2, 2), P(1, 3), P(0, 4), P(0, 5), P(1, 4), P(2, 3), P(3, 2), P(4, 1), P(5, 0), P(6, 0), P(5, 1), P(4, 2),    \
        P(3, 3), P(2, 4), P(1, 5), P(0, 6), P(0, 7), P(1, 6), P(2, 5), P(3, 4), P(4, 3), P(5, 2), P(6, 1), P(7, 0),    \
        P(7, 1), P(6, 2), P(5, 3), P(4, 4), P(3, 5), P(2, 6), P(1, 7), P(2, 7), P(3, 6), P(4, 5), P(5, 4), P(6, 3),    \
        P(7, 2), P(7, 3), P(6, 4), P(5, 5), P(4, 6), P(3, 7), P(4, 7), P(5, 6), P(6, 5), P(7, 4), P(7, 5), P(6, 6),    \
        P(5, 7), P(6, 7), P(7, 6), P(7, 7)

extern const uint8_t zigzag[COEFFICIENTS + OVERRUN]; /* place of each coefficient in a block stored row by row */
extern const double dct_scale[BLOCK];                /* sqrt(2) cos(k pi / 16), but 1 for k = 0 */

/* --- resample ------------------------------------------------------------------------------------------------------ */

/* How each sample of a result comes from samples of its source, one axis: pairs of samples, the first of each even. */
struct filter {
    int32_t length; /* of the result */
    int32_t source; /* length */
    int32_t pairs;  /* for one result; those behind the end of the source have no weight, but are read */
    int32_t *starts;
    int32_t *weights; /* [length][pairs], two to a word */
};

/* Lanczos with so many lobes, stretched where the result is smaller: antialiased. From `from` to `to` of `source` samples. */
int make_filter(struct arena *arena, int lobes, double from, double to, int32_t source, int32_t length,
                struct filter *filter);

static inline int32_t first_needed(const struct filter *filter) { return filter->starts[0]; }
static inline int32_t end_needed(const struct filter *filter) {
    int32_t end = filter->starts[filter->length - 1] + 2 * filter->pairs;
    return end < filter->source ? end : filter->source;
}

/* Takes bands of eight rows from the top down and makes the rows of a plane of the result as soon as they are complete. */
struct resampler {
    struct filter across, down;
    int32_t *ring; /* [ring_pairs][stride]: rows at their new width, two to a word */
    int32_t ring_pairs, stride;
    int32_t pushed; /* rows */
    int32_t made;   /* rows of the result */
    int16_t *plane; /* [down.length][stride] */
};

int make_resampler(struct arena *arena, struct resampler *resampler);

/* `band`: from `column` on, which is even; columns 2i and 2i + 1 of it at band[8 * i], as `inverse_dct` leaves them. `rows`
   of its eight exist. */
void push_band(struct resampler *resampler, const int32_t *band, int32_t column, int32_t rows);
/* Rows of the source that nothing is made of. */
void pass_band(struct resampler *resampler, int32_t rows);

/* --- colour -------------------------------------------------------------------------------------------------------- */

/* RGB bytes of planes of Y, Cb and Cr, or of Y alone where `components` is 1. */
void planes_to_rgb(const struct resampler *planes, int32_t components, int32_t width, int32_t height, uint8_t *rgb);

#endif
