/* SHA-256 with libcrypto, which uses the processor's SHA instructions where there are any. */
#ifndef WARMBOOT_SHA256_H
#define WARMBOOT_SHA256_H

#include "failure.h"

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_HEX = 65 }; /* SHA256_HEX: lower-case digits and the final NUL */

/* One running hash; not to be shared by threads. */
struct sha256;

/* Aborts when memory ends: nothing can be verified then. sha256_free(NULL) is allowed. */
struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *hash);

/* sha256_end writes SHA256_BYTES bytes and makes the hash ready for the next message. */
void sha256_add(struct sha256 *hash, const void *data, size_t bytes);
void sha256_end(struct sha256 *hash, uint8_t *digest);

void sha256_hex(const uint8_t *digest, char *hex);
/* False unless text is exactly 64 lower-case hex digits. */
bool sha256_parse(const char *text, uint8_t *digest);

/* Digest of a file's bytes. Fails with `code` when the file cannot be read. */
bool sha256_file(const char *path, uint8_t *digest, enum outcome code, struct failure *why);

#endif
