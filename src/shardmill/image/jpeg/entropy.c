/* Huffman decoding (ITU-T T.81, annexes C and F.2.2). What is found for the next bits at once is as much as fits into them. */
#include "codec.h"

/* An entry of `struct huffman`: how many bits it stands for (6), LONG, ENDS; zeros before the first coefficient (4), its
   distance to the second (4), both values (8 and 8). Where there is no second, that value is 0 and the distance leads to the
   coefficient after the first. All of a DC value is where the two would be. LONG: the bits do not hold the symbol whole, or
   its fields do not; the rest is 0, so that nothing is done by it. */
enum {
    LENGTH_MASK = 63,
    LONG = 64,
    ENDS = 128, /* the block, after these */
    RUN = 8,
    SECOND = 12,
    NIBBLE = 15,
    LOOKUPS = 5,      /* that one refill is enough for; they pass OVERRUN coefficients at most */
    SKIP_LOOKUPS = 4, /* the same of skips */
    CODE_MASK = (1 << CODE_BITS) - 1,
    SKIP_MASK = (1 << SKIP_BITS) - 1,
};

/* An entry of `struct huffman.skips`: 8 bits of length, 8 of coefficients passed; END_SKIPPED is added where a block ends. */
enum { PASSED = 8, END_SKIPPED = 128 };

struct symbol {
    int run, size, length; /* length: of the code; 0: there is no such code */
};

/* T.81, table F.1: what `size` bits mean. */
INLINE int32_t extended(uint32_t bits, int size) {
    return size == 0 ? 0 : (int32_t)bits - ((bits >> (size - 1)) ? 0 : (1 << size) - 1);
}

INLINE void refill(struct bits *bits) {
    uint64_t next, count = bits->count & LENGTH_MASK;
    __builtin_memcpy(&next, bits->at, sizeof next);
    bits->window |= __builtin_bswap64(next) >> count;
    bits->at += (63 - count) >> 3;
    bits->count = count | 56;
}

/* Only the low 6 bits of `count` matter, so that entries can be given whole. */
INLINE void drop(struct bits *bits, uint64_t count) {
    bits->window <<= count & LENGTH_MASK;
    bits->count -= count;
}

static struct symbol parted(int code, int is_dc, int length) {
    return is_dc ? (struct symbol){0, code, length} : (struct symbol){code >> 4, code & NIBBLE, length};
}

/* The symbol at the head of 16 bits. */
static __attribute__((noinline)) struct symbol find_symbol(uint32_t next, const struct huffman *table) {
    for (int length = 1; length <= 16; length++)
        if (next < table->limits[length])
            return parted(table->spec.symbols[table->offsets[length] + (int32_t)(next >> (16 - length))], table->is_dc,
                          length);
    return (struct symbol){0};
}

static enum outcome number_codes(struct huffman *table) {
    int32_t code = 0, symbol = 0;
    for (int length = 1; length <= 16; length++) {
        table->offsets[length] = symbol - code;
        for (int i = 0; i < table->spec.counts[length]; i++, code++, symbol++) {
            struct symbol found = parted(table->spec.symbols[symbol], table->is_dc, length);
            if (code >= (1 << length) - 1) return DAMAGED; /* a code of ones alone does not exist either */
            if (found.size > (table->is_dc ? 11 : 10)) return NOT_TAKEN;
            if (!table->is_dc && found.size == 0 && found.run != 0 && found.run != 15) return NOT_TAKEN;
        }
        table->limits[length] = (uint32_t)code << (16 - length);
        code <<= 1;
    }
    return DONE;
}

/* The first symbol of all CODE_BITS bits, as entries of one symbol each. */
static void fill_singles(struct huffman *table, uint32_t *singles) {
    int32_t code = 0, symbol = 0;
    for (int32_t i = 0; i <= CODE_MASK; i++) singles[i] = LONG, table->firsts[i] = 0;
    for (int length = 1; length <= CODE_BITS; length++, code <<= 1)
        for (int i = 0; i < table->spec.counts[length]; i++, code++, symbol++) {
            struct symbol found = parted(table->spec.symbols[symbol], table->is_dc, length);
            int spare = CODE_BITS - length, ends = !table->is_dc && found.run == 0 && found.size == 0;
            int fits = found.size <= spare && (table->is_dc || (found.size < 8 && found.run < NIBBLE));
            uint32_t entry = (uint32_t)(length + found.size) | (ends ? ENDS : 0) | (uint32_t)found.run << RUN;
            uint16_t first = (uint16_t)(length << 8 | table->spec.symbols[symbol]);
            int32_t start = code << spare;
            for (int32_t rest = 0; rest < 1 << spare; rest++) table->firsts[start + rest] = first;
            for (int32_t rest = 0; fits && rest < 1 << spare; rest++) {
                int32_t value = extended((uint32_t)rest >> (spare - found.size), found.size);
                singles[start + rest] = entry | ((uint32_t)value & 0xFFFF) << 16;
            }
        }
}

/* Two symbols, if there are two, and an end of block. */
static uint32_t combined(uint32_t index, const uint32_t *singles) {
    uint32_t first = singles[index], length = first & LENGTH_MASK, value = first >> 16 & 255;
    if (first & (LONG | ENDS)) return first;
    uint32_t second = (first >> RUN & NIBBLE) + 1, entry = first & NIBBLE << RUN;
    entry |= value << 16;
    uint32_t next = singles[index << length & CODE_MASK], longer = length + (next & LENGTH_MASK);
    if (!(next & (LONG | ENDS)) && longer <= CODE_BITS && second + (next >> RUN & NIBBLE) <= NIBBLE) {
        length = longer;
        second += next >> RUN & NIBBLE;
        entry |= (next >> 16 & 255) << 24;
        next = singles[index << length & CODE_MASK];
        longer = length + (next & LENGTH_MASK);
    }
    if ((next & (LONG | ENDS)) == ENDS && longer <= CODE_BITS) return entry | longer | ENDS | second << SECOND;
    return entry | length | second << SECOND;
}

enum outcome build_huffman(const struct huffman_spec *spec, int is_dc, struct huffman *table) {
    if (table->spec.defined && table->is_dc == is_dc && !__builtin_memcmp(spec, &table->spec, sizeof *spec))
        return DONE;
    table->spec = *spec;
    table->spec.defined = 0; /* until all of it is built: the table stays for the next image */
    table->is_dc = is_dc;
    table->skips_built = 0;
    enum outcome outcome = number_codes(table);
    if (outcome != DONE) return outcome;
    uint32_t singles[CODE_MASK + 1];
    fill_singles(table, is_dc ? table->entries : singles);
    for (uint32_t index = 0; !is_dc && index <= CODE_MASK; index++) table->entries[index] = combined(index, singles);
    table->spec.defined = 1;
    return DONE;
}

void build_skips(struct huffman *table) {
    if (table->skips_built) return;
    for (uint32_t index = 0; index <= SKIP_MASK; index++) {
        uint32_t length = 0, passed = 0;
        while (passed < COEFFICIENTS) {
            uint32_t first = table->firsts[(index << length & SKIP_MASK) >> (SKIP_BITS - CODE_BITS)];
            uint32_t run = first >> 4 & NIBBLE, size = first & NIBBLE, longer = length + (first >> 8) + size;
            if (first == 0 || longer > SKIP_BITS) break;
            length = longer;
            if (run == 0 && size == 0) {
                passed += END_SKIPPED;
                break;
            }
            passed += run + 1;
        }
        table->skips[index] = (uint16_t)(length | passed << PASSED);
    }
    table->skips_built = 1;
}

/* A symbol that the lookup did not hold whole. */
INLINE struct symbol whole_symbol(uint64_t window, const struct huffman *table) {
    uint32_t first = table->firsts[window >> (64 - CODE_BITS)];
    return LIKELY(first) ? parted(first & 255, table->is_dc, (int)(first >> 8))
                         : find_symbol((uint32_t)(window >> 48), table);
}

INLINE int32_t value_after(uint64_t window, struct symbol symbol) {
    return symbol.size == 0 ? 0 : extended((uint32_t)(window << symbol.length >> (64 - symbol.size)), symbol.size);
}

int32_t read_dc(struct bits *bits, const struct huffman *table) {
    refill(bits);
    uint32_t entry = table->entries[bits->window >> (64 - CODE_BITS)];
    if (LIKELY(!(entry & LONG))) {
        drop(bits, entry);
        return (int32_t)entry >> 16;
    }
    struct symbol symbol = whole_symbol(bits->window, table);
    if (symbol.length == 0) return INT32_MIN;
    int32_t value = value_after(bits->window, symbol);
    drop(bits, (uint64_t)(symbol.length + symbol.size));
    return value;
}

/* One symbol, whatever it is, at coefficient *k: 0 when the block goes on, 1 when it has ended, -1 for damage. */
INLINE int read_symbol(struct bits *bits, const struct huffman *table, uint64_t *k, int16_t *block) {
    refill(bits);
    struct symbol symbol = whole_symbol(bits->window, table);
    if (symbol.length == 0) return -1;
    int32_t value = value_after(bits->window, symbol);
    drop(bits, (uint64_t)(symbol.length + symbol.size));
    if (symbol.size == 0 && symbol.run == 0) return 1;
    *k += (uint64_t)symbol.run;
    if (*k >= COEFFICIENTS) return -1;
    block[zigzag[*k]] = (int16_t)value;
    return ++*k == COEFFICIENTS;
}

/* From coefficient k on to the end of the block; 1, or -1 for damage. */
INLINE int skip_rest(struct bits *given, const struct huffman *table, uint64_t k) {
    struct bits bits = *given;
    int16_t ignored[BLOCK_ROOM];
    int ended = 0;
    while (!ended) {
        refill(&bits);
        for (int i = 0; i < SKIP_LOOKUPS; i++) {
            uint64_t entry = table->skips[bits.window >> (64 - SKIP_BITS)], next = k + (entry >> PASSED);
            if (UNLIKELY(next >= COEFFICIENTS || entry == 0)) {
                if (next >= END_SKIPPED && next < END_SKIPPED + COEFFICIENTS) {
                    drop(&bits, entry);
                    ended = 1;
                } else /* a long code, or the block is full before these symbols end */
                    ended = read_symbol(&bits, table, &k, ignored);
                break;
            }
            drop(&bits, entry);
            k = next;
        }
    }
    *given = bits;
    return ended;
}

/* Symbol by symbol to the end of the block. */
static __attribute__((noinline)) int read_carefully(struct bits *given, const struct huffman *table, uint64_t k,
                                                    int16_t *block) {
    struct bits bits = *given;
    int ended = 0;
    while (!ended) ended = read_symbol(&bits, table, &k, block);
    *given = bits;
    return ended;
}

int pass_ac(struct bits *bits, const struct huffman *table) { return skip_rest(bits, table, 1) > 0; }

int read_ac(struct bits *given, const struct huffman *table, int last, int16_t *block) {
    struct bits bits = *given;
    uint64_t k = 1;
    int ended = 0, lively = 0;
    while (!ended && k <= (uint64_t)last) {
        refill(&bits);
        struct bits before = {bits.window, bits.count, bits.at};
        uint64_t start = k, flags = 0;
        for (int i = 0; i < LOOKUPS && !flags; i++) {
            uint64_t entry = table->entries[bits.window >> (64 - CODE_BITS)], second = k + (entry >> SECOND & NIBBLE);
            block[zigzag[k + (entry >> RUN & NIBBLE)]] = (int8_t)(entry >> 16);
            block[zigzag[second]] = (int8_t)(entry >> 24);
            flags = entry & (LONG | ENDS);
            if (entry & LONG) break;
            drop(&bits, entry);
            k = second + (entry >> 24 != 0);
        }
        lively |= k > 1;
        if (UNLIKELY(k >= COEFFICIENTS)) { /* some of this may be of the next block */
            ended = k == COEFFICIENTS && flags == 0;
            if (!ended) ended = read_carefully(&before, table, start, block);
            if (flags || k > COEFFICIENTS) bits = before;
        } else if (flags & ENDS)
            ended = 1;
        else if (flags & LONG) {
            ended = read_symbol(&bits, table, &k, block);
            lively = 1;
        }
    }
    *given = bits; /* before its address is handed on: the loop's copy stays in registers */
    if (!ended) ended = skip_rest(given, table, k);
    return ended < 0 ? -1 : lively;
}
