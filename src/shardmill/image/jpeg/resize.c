/* A JPEG's crop box at another size: the whole way, band by band, so that no more than a few rows are held at once. */
#include "codec.h"

struct request {
    const uint8_t *data;
    uint64_t size;
    double left, top, right, bottom; /* of what is kept, in pixels as stored; not empty and within the image */
    double oversampling;             /* a coarser decode must leave at least this many samples for one of the result */
    uint8_t *rgb;                    /* [result_height][result_width][3] */
    uint8_t *scratch;                /* aligned to 64 bytes */
    uint64_t scratch_size;
    uint64_t scratch_needed;             /* set where there was no room */
    int32_t width, height;               /* as stored, which the stream must agree with */
    int32_t result_width, result_height; /* 1 to 65,500 */
};

/* A component on its way from blocks to a plane of the result. */
struct channel {
    const struct component *component;
    const struct huffman *dc, *ac;
    float factors[COEFFICIENTS];
    double across, down;            /* its samples for one of the image */
    int32_t samples;                /* of a block's side that are made: 1, 2, 4 or 8 */
    int32_t last;                   /* coefficient that this needs, in zigzag order */
    int32_t rows;                   /* of the component at this size */
    int32_t first_block, end_block; /* columns of blocks that the result needs */
    int32_t first_block_row, end_block_row;
    int32_t prediction;
    int32_t bands;               /* done */
    int32_t *band[MAX_SAMPLING]; /* see push_band; from block column `first_block` on */
    struct resampler resampler;
};

struct decoder {
    struct frame frame;
    struct scan scan;
    struct huffman dc[4], ac[4];
    struct channel channels[MAX_COMPONENTS];
};

/* How coarse a component may be decoded. One below a block's size holds mostly what was put around it. */
static int32_t samples_needed(const struct component *component, double scale) {
    if (component->width < BLOCK || component->height < BLOCK) return BLOCK;
    for (int32_t samples = 1; samples < BLOCK; samples *= 2)
        if (samples >= BLOCK * scale) return samples;
    return BLOCK;
}

/* The part of the component, at the size it is decoded, that becomes the result. */
static int make_filters(const struct request *request, struct decoder *decoder, struct arena *arena, int32_t index) {
    struct channel *channel = &decoder->channels[index];
    const struct component *component = channel->component;
    struct filter *across = &channel->resampler.across, *down = &channel->resampler.down;
    if (index == 2) { /* sampled as the other colour is */
        *across = channel[-1].resampler.across;
        *down = channel[-1].resampler.down;
        return across->weights && down->weights;
    }
    double x = channel->across * channel->samples / BLOCK, y = channel->down * channel->samples / BLOCK;
    int32_t columns = (component->width * channel->samples + BLOCK - 1) / BLOCK;
    /* Colours vary less than brightness: the third lobe shows in neither PSNR nor pictures. */
    int lobes = index == 0 ? 3 : 2;
    int room = make_filter(arena, lobes, request->left * x, request->right * x, columns, request->result_width, across);
    room &=
        make_filter(arena, lobes, request->top * y, request->bottom * y, channel->rows, request->result_height, down);
    return room;
}

/* Which blocks the result needs, and room for them, a band for each row of blocks in an MCU. */
static int make_bands(struct channel *channel, struct arena *arena) {
    const struct filter *across = &channel->resampler.across, *down = &channel->resampler.down;
    int32_t samples = channel->samples;
    channel->first_block = first_needed(across) / samples; /* begins a pair, as `starts` do */
    channel->end_block = (end_needed(across) - 1) / samples + 1;
    channel->first_block_row = first_needed(down) / samples;
    channel->end_block_row = (end_needed(down) - 1) / samples + 1;
    int32_t read = across->starts[across->length - 1] + 2 * across->pairs, made = channel->end_block * samples;
    int32_t columns = (read > made ? read : made) - channel->first_block * samples;
    for (int32_t i = 0; i < channel->component->v; i++)
        channel->band[i] = taken(arena, (size_t)((columns + 1) / 2) * BLOCK * sizeof(int32_t));
    return channel->band[channel->component->v - 1] != NULL;
}

static enum outcome prepare_channel(const struct request *request, struct decoder *decoder, struct arena *arena,
                                    int32_t index) {
    static const uint8_t last_of[BLOCK + 1] = {[1] = 0, [2] = 4, [4] = 24, [8] = 63};
    const struct frame *frame = &decoder->frame;
    const struct component *component = &frame->component[index];
    struct channel *channel = &decoder->channels[index];
    channel->component = component;
    channel->dc = &decoder->dc[component->dc];
    channel->ac = &decoder->ac[component->ac];
    channel->across = (double)component->h / frame->h_max;
    channel->down = (double)component->v / frame->v_max;
    double scale_x = request->result_width / ((request->right - request->left) * channel->across);
    double scale_y = request->result_height / ((request->bottom - request->top) * channel->down);
    channel->samples = samples_needed(component, request->oversampling * (scale_x > scale_y ? scale_x : scale_y));
    channel->last = last_of[channel->samples];
    channel->rows = (component->height * channel->samples + BLOCK - 1) / BLOCK;
    channel->prediction = channel->bands = 0;
    scale_quantizer(frame->quantizers[component->quantizer], channel->samples, channel->factors);
    if (!make_filters(request, decoder, arena, index)) return NO_ROOM;
    int room = make_resampler(arena, &channel->resampler);
    return make_bands(channel, arena) && room ? DONE : NO_ROOM;
}

static enum outcome read_block(struct bits *bits, struct channel *channel, int32_t column, int32_t row) {
    int32_t difference = read_dc(bits, channel->dc);
    if (difference == INT32_MIN) return DAMAGED;
    channel->prediction += difference;
    if (channel->prediction < INT16_MIN || channel->prediction > INT16_MAX) return DAMAGED;
    int needed = column >= channel->first_block && column < channel->end_block && row >= channel->first_block_row &&
                 row < channel->end_block_row;
    int32_t samples = channel->samples, x = 0, *place = NULL;
    if (needed) {
        int32_t line = row * samples;
        x = (column - channel->first_block) * samples;
        place = channel->band[line / BLOCK % channel->component->v] + x / 2 * BLOCK + line % BLOCK;
    }
    if (samples == 1) {
        if (needed) ((half_word *)place)[x & 1] = mean_sample(channel->prediction, channel->factors);
        return pass_ac(bits, channel->ac) ? DONE : DAMAGED;
    }
    _Alignas(64) int16_t block[BLOCK_ROOM];
    if (needed) __builtin_memset(block, 0, COEFFICIENTS * sizeof *block);
    int lively = read_ac(bits, channel->ac, channel->last, block);
    if (lively < 0) return DAMAGED;
    if (!needed) return DONE;
    block[0] = (int16_t)channel->prediction;
    inverse_dct(block, !lively, channel->factors, samples, place);
    return DONE;
}

/* Hands on the bands that the first `mcu_rows` rows of MCUs complete. */
static void finish_bands(struct channel *channel, int32_t mcu_rows, int ended) {
    int32_t lines = mcu_rows * channel->component->v * channel->samples;
    if (lines > channel->rows) lines = channel->rows;
    struct resampler *resampler = &channel->resampler;
    for (; 8 * channel->bands + 8 <= lines || (ended && 8 * channel->bands < lines); channel->bands++) {
        int32_t first = 8 * channel->bands, rows = lines - first < 8 ? lines - first : 8;
        if (first + rows <= first_needed(&resampler->down) || first >= end_needed(&resampler->down)) {
            pass_band(resampler, rows);
            continue;
        }
        push_band(resampler, channel->band[channel->bands % channel->component->v],
                  channel->first_block * channel->samples, rows);
    }
}

static enum outcome read_mcu(struct decoder *decoder, struct bits *bits, int32_t column, int32_t row) {
    for (int32_t i = 0; i < decoder->frame.components; i++) {
        struct channel *channel = &decoder->channels[i];
        int32_t h = channel->component->h, v = channel->component->v;
        for (int32_t y = 0; y < v; y++)
            for (int32_t x = 0; x < h; x++)
                if (read_block(bits, channel, column * h + x, row * v + y) != DONE) return DAMAGED;
    }
    return DONE;
}

static enum outcome decode(struct decoder *decoder) {
    const struct frame *frame = &decoder->frame;
    struct scan *scan = &decoder->scan;
    struct bits bits;
    if (!start_segment(scan, &bits)) return DAMAGED;
    int32_t restarts = 0, until_restart = frame->restart_interval;
    for (int32_t row = 0; row < frame->mcu_rows; row++) {
        for (int32_t column = 0; column < frame->mcu_columns; column++) {
            if (frame->restart_interval && until_restart-- == 0) {
                if (!ends_with(scan, &bits, RST0 + (restarts++ & 7)) || !start_segment(scan, &bits)) return DAMAGED;
                until_restart = frame->restart_interval - 1;
                for (int32_t i = 0; i < frame->components; i++) decoder->channels[i].prediction = 0;
            }
            if (UNLIKELY(bits.at > scan->low) && !more(scan, &bits)) return DAMAGED;
            if (read_mcu(decoder, &bits, column, row) != DONE) return DAMAGED;
        }
        for (int32_t i = 0; i < frame->components; i++)
            finish_bands(&decoder->channels[i], row + 1, row + 1 == frame->mcu_rows);
    }
    return ends_with(scan, &bits, EOI) ? DONE : DAMAGED;
}

static enum outcome resize(const struct request *request, struct arena *arena) {
    struct decoder *decoder = taken(arena, sizeof *decoder);
    if (decoder == NULL) return NO_ROOM;
    struct frame *frame = &decoder->frame;
    enum outcome outcome = read_frame(request->data, request->size, frame);
    if (outcome != DONE) return outcome;
    if (frame->width != request->width || frame->height != request->height) return NOT_TAKEN;
    decoder->scan = (struct scan){.at = frame->scan, .end = frame->scan + frame->scan_size};
    decoder->scan.bytes = taken(arena, SCAN_ROOM + SCAN_MARGIN);
    if (decoder->scan.bytes == NULL) outcome = NO_ROOM;
    for (int32_t i = 0; i < frame->components; i++)
        if (prepare_channel(request, decoder, arena, i) == NO_ROOM) outcome = NO_ROOM;
    if (outcome != DONE) return outcome;
    for (int32_t i = 0; i < frame->components; i++) {
        int dc = frame->component[i].dc, ac = frame->component[i].ac;
        if ((outcome = build_huffman(&frame->dc[dc], 1, &decoder->dc[dc])) != DONE) return outcome;
        if ((outcome = build_huffman(&frame->ac[ac], 0, &decoder->ac[ac])) != DONE) return outcome;
        if (decoder->channels[i].last < COEFFICIENTS - 1) build_skips(&decoder->ac[ac]);
    }
    return decode(decoder);
}

EXPORT int32_t shardmill_jpeg_resize(struct request *request) {
    struct arena arena = {request->scratch, request->scratch_size, 0};
    enum outcome outcome = resize(request, &arena);
    if (outcome == NO_ROOM) {
        request->scratch_needed = arena.used;
        return outcome;
    }
    if (outcome != DONE) return outcome;
    const struct decoder *decoder = (const struct decoder *)request->scratch;
    struct resampler planes[MAX_COMPONENTS];
    for (int32_t i = 0; i < decoder->frame.components; i++) planes[i] = decoder->channels[i].resampler;
    planes_to_rgb(planes, decoder->frame.components, request->result_width, request->result_height, request->rgb);
    return DONE;
}
