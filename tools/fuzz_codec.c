/* A fuzz target for the JPEG codec: what it is asked for in the first bytes of an input, the stream in the others.

   Every buffer is as small as it may be and lies between guarded gaps, those in the scratch memory too. Each input is
   decoded twice: in fresh memory, and in memory that is full of other things and holds the tables of the input before. Both
   must come to the same. The result is encoded, which the decoder must take.

   With clang 16 or later, in the folder of the codec's sources; CORPUS holds some JPEGs behind fourteen bytes each:

     clang -std=gnu11 -g -O2 -mavx2 -ffp-contract=off -fsanitize=fuzzer,address,undefined,float-cast-overflow \
       -fno-sanitize-recover=all -DSCAN_ROOM=2560 ../../../../tools/fuzz_codec.c colour.c entropy.c inverse_dct.c \
       resample.c scan.c stream.c -o /tmp/fuzz_codec
     /tmp/fuzz_codec -max_len=12000 CORPUS */
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/shardmill/image/jpeg/encode.c"
#include "../src/shardmill/image/jpeg/resize.c"

enum { GAP = 64, MOST_PIXELS = 1 << 20, MOST_RESULTS = 1 << 16, MOST_SCRATCH = 1 << 28, WISHES = 14 };

void *taken(struct arena *arena, size_t bytes) {
    size_t start = arena->used, size = (bytes + 63) & ~(size_t)63;
    arena->used += size + GAP;
    if (arena->used > arena->size) return NULL;
    ASAN_POISON_MEMORY_REGION(arena->memory + start + bytes, size + GAP - bytes);
    return arena->memory + start;
}

static double part(const uint8_t *wish, double whole) { return whole * (wish[0] << 8 | wish[1]) / 65535; }

static int32_t side(const uint8_t *wish) { return 1 + ((wish[0] << 8 | wish[1]) >> (wish[1] & 15)); }

/* The request in scratch memory full of `filling`, that begins with the tables of `kept`. */
static int32_t answer(struct request request, int filling, const struct decoder *kept, struct decoder *left) {
    for (size_t size = sizeof *kept + GAP;;) {
        void *scratch;
        if (posix_memalign(&scratch, 64, size)) abort();
        memset(scratch, filling, size);
        if (kept) memcpy(scratch, kept, sizeof *kept);
        request.scratch = scratch;
        request.scratch_size = size;
        int32_t outcome = shardmill_jpeg_resize(&request);
        ASAN_UNPOISON_MEMORY_REGION(scratch, size);
        if (outcome != NO_ROOM && left) memcpy(left, scratch, sizeof *left);
        free(scratch);
        if (outcome != NO_ROOM || request.scratch_needed > MOST_SCRATCH) return outcome;
        if (request.scratch_needed <= size) abort(); /* else the caller would ask for ever */
        size = request.scratch_needed;
    }
}

/* `rgb`, as large as `decoded` asked for, to a JPEG in as little room as that takes, and back. */
static void round_trip(const struct request *decoded, const uint8_t *rgb, const uint8_t *wish) {
    static struct frame frame;
    struct encoding encoding = {.rgb = rgb, .width = decoded->result_width, .height = decoded->result_height};
    encoding.quality = 1 + wish[0] % 100;
    encoding.h = 1 + (wish[1] & 1);
    encoding.v = encoding.h == 2 ? 1 + (wish[1] >> 1 & 1) : 1;
    int32_t outcome = NO_ROOM;
    for (uint64_t room = 0; outcome == NO_ROOM; room = encoding.size) {
        if (room && room <= encoding.room) abort();
        encoding.jpeg = realloc(encoding.jpeg, room);
        encoding.room = room;
        outcome = shardmill_jpeg_encode(&encoding);
    }
    if (outcome != DONE || read_frame(encoding.jpeg, encoding.size, &frame) != DONE) abort();
    struct request request = {.data = encoding.jpeg, .size = encoding.size, .oversampling = 1.3};
    request.right = request.width = frame.width;
    request.bottom = request.height = frame.height;
    request.result_width = request.result_height = 2;
    uint8_t little[2 * 2 * 3];
    request.rgb = little;
    if (frame.width != decoded->result_width || frame.height != decoded->result_height) abort();
    if (answer(request, 0, NULL, NULL) != DONE) abort();
    free(encoding.jpeg);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
    static struct decoder before;
    static struct frame frame;
    if (size < WISHES) return -1;
    uint8_t *data = malloc(size - WISHES);
    memcpy(data, input + WISHES, size - WISHES);
    struct request request = {.data = data, .size = size - WISHES};
    read_frame(data, size - WISHES, &frame);
    request.width = frame.width;
    request.height = frame.height;
    request.left = part(input, frame.width);
    request.top = part(input + 2, frame.height);
    request.right = request.left + part(input + 4, frame.width - request.left);
    request.bottom = request.top + part(input + 6, frame.height - request.top);
    request.result_width = side(input + 8);
    request.result_height = side(input + 10);
    request.oversampling = 1.3;
    int64_t pixels = (int64_t)frame.width * frame.height;
    int64_t results = (int64_t)request.result_width * request.result_height;
    if (pixels && pixels <= MOST_PIXELS && results <= MOST_RESULTS && request.left < request.right &&
        request.top < request.bottom) {
        uint8_t *once = malloc((size_t)results * 3), *again = malloc((size_t)results * 3);
        request.rgb = once;
        int32_t outcome = answer(request, 0, NULL, NULL);
        request.rgb = again;
        if (answer(request, input[12], &before, &before) != outcome) abort();
        if (outcome == DONE && memcmp(once, again, (size_t)results * 3)) abort();
        if (outcome == DONE) round_trip(&request, once, input + 12);
        free(once);
        free(again);
    }
    free(data);
    return 0;
}
