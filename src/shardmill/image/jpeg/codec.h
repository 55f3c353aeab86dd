/* What the library offers to library.py and binding.py, by ctypes. */
#ifndef SHARDMILL_CODEC_H
#define SHARDMILL_CODEC_H

#define EXPORTED __attribute__((visibility("default")))

/* Digest of the sources that this was compiled from, 16 hexadecimal digits. */
EXPORTED const char *codec_version(void);

#endif
