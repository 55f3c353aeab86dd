/* The four functions that compilers call of their own accord, since there is no C library here that has them. */
#include <stddef.h>

#define UNASSISTED __attribute__((no_builtin)) /* else the compiler finds a call of the function in its own loop */

UNASSISTED void *memcpy(void *restrict target, const void *restrict source, size_t size) {
    unsigned char *to = target;
    const unsigned char *from = source;
    for (size_t i = 0; i < size; i++) to[i] = from[i];
    return target;
}

UNASSISTED void *memmove(void *target, const void *source, size_t size) {
    unsigned char *to = target;
    const unsigned char *from = source;
    if (to < from)
        for (size_t i = 0; i < size; i++) to[i] = from[i];
    else
        for (size_t i = size; i > 0; i--) to[i - 1] = from[i - 1];
    return target;
}

UNASSISTED void *memset(void *target, int value, size_t size) {
    unsigned char *to = target;
    for (size_t i = 0; i < size; i++) to[i] = (unsigned char)value;
    return target;
}

UNASSISTED int memcmp(const void *left, const void *right, size_t size) {
    const unsigned char *a = left, *b = right;
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i]) return a[i] - b[i];
    return 0;
}
