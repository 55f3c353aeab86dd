/* Entropy-coded data without its stuffing (ITU-T T.81, F.1.2.3), a piece at a time, so that it stays in the nearest cache. */
#include "vectors.h"

typedef int64_t i4 __attribute__((vector_size(32)));

/* Whether any of 32 bytes is 0xFF. */
static inline int has_marker(const uint8_t *at) {
    b32 bytes;
    __builtin_memcpy(&bytes, at, sizeof bytes);
    i4 found = (i4)(bytes == 0xFF);
    return (found[0] | found[1] | found[2] | found[3]) != 0;
}

/* Bytes from `at` on, as many as have room before `last`, or up to the next 0xFF; returns where those end. */
static const uint8_t *copied(const uint8_t *at, const uint8_t *end, uint8_t **to, const uint8_t *last) {
    for (; *to <= last && end - at >= 32 && !has_marker(at); at += 32, *to += 32) __builtin_memcpy(*to, at, 32);
    for (; *to <= last && at < end && *at != 0xFF; at++) *(*to)++ = *at;
    return at;
}

/* More of the segment, behind what is not read yet. */
static void fill(struct scan *scan, struct bits *bits) {
    uint8_t *to = scan->bytes;
    while (bits->at < scan->filled) *to++ = *bits->at++;
    bits->at = scan->bytes;
    const uint8_t *last = scan->bytes + SCAN_ROOM - 32; /* up to which 32 bytes still fit */
    while (to <= last && scan->marker == GOES_ON) {
        const uint8_t *at = copied(scan->at, scan->end, &to, last);
        scan->at = at;
        if (to > last) break;
        if (scan->end - at < 2) {
            scan->marker = CUT_SHORT;
            break;
        }
        scan->at = at + 2;
        if (at[1] == 0)
            *to++ = 0xFF;
        else
            scan->marker = at[1];
    }
    scan->filled = to;
    if (scan->marker != GOES_ON) __builtin_memset(to, 0, SCAN_MARGIN);
    scan->low = scan->marker == GOES_ON ? to - SCAN_MARGIN : to + sizeof(uint64_t);
}

int start_segment(struct scan *scan, struct bits *bits) {
    bits->window = bits->count = 0;
    bits->at = scan->filled = scan->bytes;
    scan->marker = GOES_ON;
    fill(scan, bits);
    return scan->marker != CUT_SHORT;
}

int more(struct scan *scan, struct bits *bits) {
    if (scan->marker != GOES_ON) return 0;
    fill(scan, bits);
    return 1;
}

int ends_with(const struct scan *scan, const struct bits *bits, int marker) {
    int64_t left = (scan->filled - bits->at) * 8 + (int64_t)(bits->count & 63);
    return scan->marker == marker && left >= 0 && left < 8;
}
