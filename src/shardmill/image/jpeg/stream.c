/* The markers of a JPEG stream (ITU-T T.81, annex B). What is out of the ordinary is not taken. */
#include "codec.h"

enum {
    SOF0 = 0xC0, /* baseline */
    SOF1 = 0xC1, /* extended sequential, Huffman coded */
    DHT = 0xC4,
    SOI = 0xD8,
    SOS = 0xDA,
    DQT = 0xDB,
    DRI = 0xDD,
    APP0 = 0xE0,
    APP2 = 0xE2,
    APP14 = 0xEE,
    APP15 = 0xEF,
    COM = 0xFE,
    YCBCR = 1, /* as Adobe's segment has it */
};

struct segment {
    const uint8_t *at, *end;
};

static int32_t word(const uint8_t *at) { return at[0] << 8 | at[1]; }

static enum outcome read_quantizers(struct segment segment, struct frame *frame) {
    while (segment.at < segment.end) {
        int wide = *segment.at >> 4, slot = *segment.at & 15;
        ptrdiff_t length = 1 + (wide ? 2 : 1) * COEFFICIENTS;
        if (wide > 1 || slot > 3 || segment.end - segment.at < length) return DAMAGED;
        for (int i = 0; i < COEFFICIENTS; i++) {
            int32_t value = wide ? word(segment.at + 1 + 2 * i) : segment.at[1 + i];
            if (value == 0) return NOT_TAKEN;
            frame->quantizers[slot][i] = (uint16_t)value;
        }
        frame->quantizer_defined[slot] = 1;
        segment.at += length;
    }
    return DONE;
}

static enum outcome read_huffman_tables(struct segment segment, struct frame *frame) {
    while (segment.at < segment.end) {
        int class = *segment.at >> 4, slot = *segment.at & 15;
        if (class > 1 || slot > 3 || segment.end - segment.at < 17) return DAMAGED;
        struct huffman_spec *spec = class == 0 ? &frame->dc[slot] : &frame->ac[slot];
        int32_t symbols = 0;
        spec->counts[0] = 0;
        for (int length = 1; length <= 16; length++) symbols += spec->counts[length] = segment.at[length];
        segment.at += 17;
        if (symbols > 256 || segment.end - segment.at < symbols) return DAMAGED;
        for (int32_t i = 0; i < symbols; i++) spec->symbols[i] = segment.at[i];
        spec->defined = 1;
        segment.at += symbols;
    }
    return DONE;
}

/* What is said of the version, the colours and the profile, which libjpeg-turbo looks at too. */
static enum outcome read_application(int marker, struct segment segment, struct frame *frame) {
    const uint8_t *at = segment.at;
    ptrdiff_t length = segment.end - at;
    if (marker == APP0 && length >= 14 && !__builtin_memcmp(at, "JFIF", 5)) /* T.871, 10.1 */
        return at[5] == 1 ? DONE : NOT_TAKEN;
    if (marker == APP14 && length >= 12 && !__builtin_memcmp(at, "Adobe", 5)) /* T.872, 6.5.3 */
        frame->transform = at[11];
    if (marker == APP2 && length >= 14 && !__builtin_memcmp(at, "ICC_PROFILE", 12)) { /* ICC.1, B.4 */
        int part = at[12], parts = at[13];
        if (part != ++frame->profile_parts || (part > 1 && parts != frame->profile_total) || length == 14)
            return NOT_TAKEN;
        frame->profile_total = parts;
    }
    return DONE;
}

static int32_t share(int32_t length, int32_t factor, int32_t most) { return (length * factor + most - 1) / most; }

/* Those that libjpeg-turbo has a name for, or writes in another way. */
static int is_common_sampling(const struct frame *frame) {
    const struct component *luma = &frame->component[0], *blue = &frame->component[1], *red = &frame->component[2];
    if (frame->components == 1) return 1;
    if (luma->h == 3 || luma->v == 3 || luma->h * luma->v > 4 || blue->h != red->h || blue->v != red->v) return 0;
    return (luma->h < 4 && luma->v < 4) || blue->h * blue->v == 1;
}

static enum outcome read_frame_header(struct segment segment, struct frame *frame) {
    if (frame->components != 0 || segment.end - segment.at < 6) return DAMAGED;
    frame->height = word(segment.at + 1);
    frame->width = word(segment.at + 3);
    frame->components = segment.at[5];
    if (segment.at[0] != 8 || frame->width == 0 || frame->height == 0) return NOT_TAKEN;
    if (frame->width > MAX_SIDE || frame->height > MAX_SIDE) return NOT_TAKEN;
    if (frame->components != 1 && frame->components != 3) return NOT_TAKEN;
    if (segment.end - segment.at != 6 + 3 * frame->components) return DAMAGED;
    int32_t blocks = 0;
    frame->h_max = frame->v_max = 1;
    for (int32_t i = 0; i < frame->components; i++) {
        struct component *component = &frame->component[i];
        const uint8_t *at = segment.at + 6 + 3 * i;
        component->id = at[0];
        component->h = at[1] >> 4;
        component->v = at[1] & 15;
        component->quantizer = at[2];
        if (component->quantizer > 3) return DAMAGED;
        if (component->h < 1 || component->h > MAX_SAMPLING || component->v < 1 || component->v > MAX_SAMPLING)
            return DAMAGED;
        if (frame->components == 1) component->h = component->v = 1; /* T.81, A.2.2: its factors mean nothing */
        if (component->h > frame->h_max) frame->h_max = component->h;
        if (component->v > frame->v_max) frame->v_max = component->v;
        blocks += component->h * component->v;
    }
    if (blocks > MAX_MCU_BLOCKS) return DAMAGED;
    for (int32_t i = 0; i < frame->components; i++) {
        struct component *component = &frame->component[i];
        if (frame->h_max % component->h || frame->v_max % component->v) return NOT_TAKEN;
        component->width = share(frame->width, component->h, frame->h_max);
        component->height = share(frame->height, component->v, frame->v_max);
    }
    if (frame->component[0].h != frame->h_max || frame->component[0].v != frame->v_max) return NOT_TAKEN;
    if (!is_common_sampling(frame)) return NOT_TAKEN;
    frame->mcu_columns = share(frame->width, 1, BLOCK * frame->h_max);
    frame->mcu_rows = share(frame->height, 1, BLOCK * frame->v_max);
    return DONE;
}

/* By their names, as some decoders take them. */
static int are_rgb(const struct component *components) {
    return components[0].id == 'R' && components[1].id == 'G' && components[2].id == 'B';
}

static enum outcome read_scan_header(struct segment segment, struct frame *frame) {
    if (frame->components == 0 || segment.at == segment.end) return DAMAGED;
    int32_t components = segment.at[0];
    if (segment.end - segment.at != 4 + 2 * components) return DAMAGED;
    if (components != frame->components) return NOT_TAKEN; /* a scan for each component */
    for (int32_t i = 0; i < components; i++) {
        struct component *component = &frame->component[i];
        const uint8_t *at = segment.at + 1 + 2 * i;
        if (at[0] != component->id) return NOT_TAKEN;
        component->dc = at[1] >> 4;
        component->ac = at[1] & 15;
        if (component->dc > 3 || component->ac > 3) return DAMAGED;
        if (!frame->dc[component->dc].defined || !frame->ac[component->ac].defined) return DAMAGED;
        if (!frame->quantizer_defined[component->quantizer]) return DAMAGED;
    }
    if (components == 3 && (frame->transform != YCBCR || are_rgb(frame->component))) return NOT_TAKEN;
    if (frame->profile_parts != frame->profile_total) return NOT_TAKEN;
    const uint8_t *at = segment.end - 3;
    return at[0] == 0 && at[1] == COEFFICIENTS - 1 && at[2] == 0 ? DONE : NOT_TAKEN;
}

enum outcome read_frame(const uint8_t *data, size_t size, struct frame *frame) {
    const uint8_t *at = data + 2, *end = data + size;
    __builtin_memset(frame, 0, sizeof *frame);
    frame->transform = YCBCR;
    if (size < 4 || data[0] != 0xFF || data[1] != SOI) return NOT_TAKEN;
    for (;;) {
        if (end - at < 4) return DAMAGED;
        if (at[0] != 0xFF) return NOT_TAKEN;
        int marker = at[1];
        int32_t length = word(at + 2);
        if (length < 2 || end - at - 2 < length) return DAMAGED;
        struct segment segment = {at + 4, at + 2 + length};
        at = segment.end;
        enum outcome outcome = DONE;
        if (marker == SOF0 || marker == SOF1)
            outcome = read_frame_header(segment, frame);
        else if (marker == DHT)
            outcome = read_huffman_tables(segment, frame);
        else if (marker == DQT)
            outcome = read_quantizers(segment, frame);
        else if (marker == DRI) {
            if (length != 4) return DAMAGED;
            frame->restart_interval = word(segment.at);
        } else if (marker == SOS) {
            frame->scan = at;
            frame->scan_size = (size_t)(end - at);
            return read_scan_header(segment, frame);
        } else if (marker >= APP0 && marker <= APP15)
            outcome = read_application(marker, segment, frame);
        else if (marker != COM)
            return NOT_TAKEN;
        if (outcome != DONE) return outcome;
    }
}
