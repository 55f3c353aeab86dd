/* The stack in the caller's scratch. On its own, so that tools/fuzz_codec.c can put one with guarded gaps in its place. */
#include "codec.h"

void *taken(struct arena *arena, size_t bytes) {
    size_t start = arena->used;
    arena->used += (bytes + 63) & ~(size_t)63;
    return arena->used <= arena->size ? arena->memory + start : NULL;
}
