#include "codec.h"

const char *codec_version(void) { return CODEC_VERSION; }
