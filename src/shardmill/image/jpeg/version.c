/* For library.py: the digest of the sources that this was compiled from. */
__attribute__((visibility("default"))) const char *codec_version(void) { return CODEC_VERSION; }
