/* Huffman decoding (ITU-T T.81, annexes C and F.2.2). What is found for the next bits at once is as much as fits into them. */
#include "codec.h"

/* An entry of `struct huffman`: how many bits it stands for (6), LONG, ENDS, then
   - usually: zeros before the first coefficient (4), its distance to the second (4), both values (8 and 8). Where there is
     no second, that value is 0 and the distance leads to the coefficient after the first;
   - with LONG, where the bits do not hold the symbol whole: its run (4), its size (4), and the length of its code, 0 if even
     the code is longer. */
enum {
    LENGTH_MASK = 63,
    LONG = 64,
    ENDS = 128, /* the block, after these */
    RUN = 8,
    SECOND = 12,
    SIZE = 12,
    CODE_LENGTH = 16,
    NIBBLE = 15,
    LOOKUPS = 4, /* that one refill is enough for */
};

struct symbol {
    int run, size, length; /* length: of the code; 0: there is no such code */
};

/* T.81, table F.1: what `size` bits mean. */
static inline int32_t extended(uint32_t bits, int size) {
    return size == 0 ? 0 : (int32_t)bits - ((bits >> (size - 1)) ? 0 : (1 << size) - 1);
}

static inline void refill(struct bits *bits) {
    uint64_t next;
    __builtin_memcpy(&next, bits->at, sizeof next);
    bits->window |= __builtin_bswap64(next) >> bits->count;
    bits->at += (63 - bits->count) >> 3;
    bits->count |= 56;
}

/* Only the low 6 bits of `count` count. */
static inline void drop(struct bits *bits, uint32_t count) {
    bits->window <<= count & LENGTH_MASK;
    bits->count -= count & LENGTH_MASK;
}

void start_bits(struct bits *bits, const uint8_t *at) {
    bits->window = 0;
    bits->count = 0;
    bits->at = at;
}

int ends_at(const struct bits *bits, const uint8_t *end) {
    int64_t left = (end - bits->at) * 8 + bits->count;
    return left >= 0 && left < 8;
}

static struct symbol parted(int code, int is_dc, int length) {
    return is_dc ? (struct symbol){0, code, length} : (struct symbol){code >> 4, code & NIBBLE, length};
}

/* The symbol at the head of 16 bits. */
static struct symbol find_symbol(uint32_t next, const struct huffman *table) {
    for (int length = 1; length <= 16; length++)
        if (next < table->limits[length])
            return parted(table->spec.symbols[table->offsets[length] + (int32_t)(next >> (16 - length))], table->is_dc, length);
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

enum { MASK = (1 << CODE_BITS) - 1 };

/* The first symbol of all CODE_BITS bits, as entries of one symbol each. */
static void fill_singles(const struct huffman *table, uint32_t *singles) {
    int32_t code = 0, symbol = 0;
    for (int32_t i = 0; i <= MASK; i++) singles[i] = LONG;
    for (int length = 1; length <= CODE_BITS; length++, code <<= 1)
        for (int i = 0; i < table->spec.counts[length]; i++, code++, symbol++) {
            struct symbol found = parted(table->spec.symbols[symbol], table->is_dc, length);
            int spare = CODE_BITS - length, ends = !table->is_dc && found.run == 0 && found.size == 0;
            /* else a value or a run does not fit into its field, or a value is not in these bits */
            int fits = found.size <= spare && (table->is_dc || (found.size < 8 && found.run < NIBBLE));
            uint32_t *entries = singles + (code << spare);
            for (uint32_t rest = 0; rest < 1u << spare; rest++) {
                int32_t value = fits ? extended(rest >> (spare - found.size), found.size) : 0;
                uint32_t whole = (uint32_t)(length + found.size) | (ends ? ENDS : 0) | (uint32_t)found.run << RUN;
                uint32_t part = LONG | (uint32_t)(found.run << RUN | found.size << SIZE | length << CODE_LENGTH);
                entries[rest] = fits ? whole | ((uint32_t)value & 0xFFFF) << 16 : part;
            }
        }
}

/* Two symbols, if there are two, and an end of block. */
static uint32_t combined(uint32_t index, const uint32_t *singles) {
    uint32_t first = singles[index], length = first & LENGTH_MASK, value = first >> 16 & 255;
    if (first & (LONG | ENDS)) return first;
    uint32_t second = (first >> RUN & NIBBLE) + 1, entry = first & NIBBLE << RUN;
    entry |= value << 16;
    uint32_t next = singles[index << length & MASK], longer = length + (next & LENGTH_MASK);
    if (!(next & (LONG | ENDS)) && longer <= CODE_BITS && second + (next >> RUN & NIBBLE) <= NIBBLE) {
        length = longer;
        second += next >> RUN & NIBBLE;
        entry |= (next >> 16 & 255) << 24;
        next = singles[index << length & MASK];
        longer = length + (next & LENGTH_MASK);
    }
    if ((next & (LONG | ENDS)) == ENDS && longer <= CODE_BITS) return entry | longer | ENDS | second << SECOND;
    return entry | length | second << SECOND;
}

enum outcome build_huffman(const struct huffman_spec *spec, int is_dc, struct huffman *table) {
    if (table->spec.defined && table->is_dc == is_dc && !__builtin_memcmp(spec, &table->spec, sizeof *spec)) return DONE;
    table->spec = *spec;
    table->spec.defined = 0; /* until all of it is built: the table stays for the next image */
    table->is_dc = is_dc;
    enum outcome outcome = number_codes(table);
    if (outcome != DONE) return outcome;
    uint32_t singles[MASK + 1];
    fill_singles(table, is_dc ? table->entries : singles);
    for (uint32_t index = 0; !is_dc && index <= MASK; index++) table->entries[index] = combined(index, singles);
    table->spec.defined = 1;
    return DONE;
}

/* A symbol that the lookup did not hold whole. */
static __attribute__((noinline)) struct symbol whole_symbol(uint64_t window, const struct huffman *table, uint32_t entry) {
    int length = entry >> CODE_LENGTH;
    if ((entry & LONG) == 0 || length == 0) return find_symbol((uint32_t)(window >> 48), table);
    return (struct symbol){entry >> RUN & NIBBLE, entry >> SIZE & NIBBLE, length};
}

static inline int32_t value_after(uint64_t window, struct symbol symbol) {
    return symbol.size == 0 ? 0 : extended((uint32_t)(window << symbol.length >> (64 - symbol.size)), symbol.size);
}

int32_t read_dc(struct bits *bits, const struct huffman *table) {
    refill(bits);
    uint32_t entry = table->entries[bits->window >> (64 - CODE_BITS)];
    if (LIKELY(!(entry & LONG))) {
        drop(bits, entry);
        return (int32_t)entry >> 16;
    }
    struct symbol symbol = whole_symbol(bits->window, table, entry);
    if (symbol.length == 0) return INT32_MIN;
    int32_t value = value_after(bits->window, symbol);
    drop(bits, (uint32_t)(symbol.length + symbol.size));
    return value;
}

/* One symbol, whatever it is, at coefficient *k: 0 when the block goes on, 1 when it has ended, -1 for damage. */
static inline int read_symbol(struct bits *bits, const struct huffman *table, uint32_t entry, int *k, int16_t *block) {
    refill(bits);
    struct symbol symbol = whole_symbol(bits->window, table, entry);
    if (symbol.length == 0) return -1;
    int32_t value = value_after(bits->window, symbol);
    drop(bits, (uint32_t)(symbol.length + symbol.size));
    if (symbol.size == 0 && symbol.run == 0) return 1;
    *k += symbol.run;
    if (*k >= COEFFICIENTS) return -1;
    block[zigzag[*k]] = (int16_t)value;
    return ++*k == COEFFICIENTS;
}

/* Symbols from coefficient *k up to `last`, or the end of the block: 0 if it goes on, 1 if it has ended, -1 for damage. */
static inline int read_symbols(struct bits *given, const struct huffman *table, int *from, int last, int kept, int16_t *block) {
    struct bits bits = *given;
    int k = *from, ended = 0;
    while (!ended && k <= last) {
        refill(&bits);
        for (int i = 0; i < LOOKUPS; i++) {
            uint32_t entry = table->entries[bits.window >> (64 - CODE_BITS)];
            int second = k + (int)(entry >> SECOND & NIBBLE), next = second + (entry >> 24 != 0);
            if (UNLIKELY(entry & LONG)) {
                ended = read_symbol(&bits, table, entry, &k, block);
                break;
            }
            if (kept) {
                block[zigzag[k + (int)(entry >> RUN & NIBBLE)]] = (int8_t)(entry >> 16);
                block[zigzag[second]] = (int8_t)(entry >> 24);
            }
            if (UNLIKELY(next >= COEFFICIENTS || entry & ENDS)) {
                if (entry & ENDS ? next < COEFFICIENTS : next == COEFFICIENTS) {
                    drop(&bits, entry);
                    k = next;
                    ended = 1;
                } else /* the block is full before these symbols end */
                    ended = read_symbol(&bits, table, 0, &k, block);
                break;
            }
            drop(&bits, entry);
            k = next;
        }
    }
    *given = bits;
    *from = k;
    return ended;
}

int read_ac(struct bits *bits, const struct huffman *table, int last, int16_t *block) {
    int k = 1, ended = read_symbols(bits, table, &k, last, 1, block), lively = k > 1;
    if (!ended) ended = read_symbols(bits, table, &k, COEFFICIENTS - 1, 0, block);
    return ended < 0 ? -1 : lively;
}
