/* The compiler calls these for what C code copies or clears, and there is no C library here that has them. */
#include <stddef.h>

__attribute__((no_builtin)) void *memcpy(void *restrict target, const void *restrict source, size_t size) {
    unsigned char *to = target;
    const unsigned char *from = source;
    for (size_t i = 0; i < size; i++) to[i] = from[i];
    return target;
}

__attribute__((no_builtin)) void *memset(void *target, int value, size_t size) {
    unsigned char *to = target;
    for (size_t i = 0; i < size; i++) to[i] = (unsigned char)value;
    return target;
}
