/*
 * The content coding dcz (RFC 9842, 5): a text as one zstd frame without what it has in common with another, its dictionary. It comes
 * from the network, so it says what it likes: how much memory it gets is decided here.
 */
#include "commands.h"
#include "sha256.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

/* Of an image of some 30 GB; servers code less. */
enum { TEXT_BYTES_MAX = 32 << 20 };
/* The dictionary's sha256 follows. */
static const uint8_t MAGIC[] = {0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0};
enum { HEAD_BYTES = sizeof MAGIC + SHA256_BYTES };

struct text {
  uint8_t *data;
  size_t bytes;
};

static bool make_room(struct text *text, unsigned long long bytes, const char *path, struct failure *why) {
  if (bytes > TEXT_BYTES_MAX)
    return fail(why, MALFORMED, "%s says that it has %llu bytes, and more than %d are not taken", path, bytes, TEXT_BYTES_MAX);
  text->bytes = (size_t)bytes;
  text->data = malloc(text->bytes + 1);
  return text->data != NULL || fail(why, LOCAL, "memory ended: the machine has too little of it");
}

static bool read_text(const char *path, struct text *text, struct failure *why) {
  struct stat about;
  FILE *file = fopen(path, "rb");
  if (file == NULL) return fail(why, LOCAL, "%s cannot be opened (%s)", path, strerror(errno));
  bool good = fstat(fileno(file), &about) == 0 && make_room(text, (unsigned long long)about.st_size, path, why) &&
              fread(text->data, 1, text->bytes, file) == text->bytes;
  fclose(file);
  return good || fail(why, LOCAL, "%s cannot be read", path);
}

static bool write_text(const char *path, const struct text *text, struct failure *why) {
  FILE *file = fopen(path, "wb");
  bool good = file != NULL && fwrite(text->data, 1, text->bytes, file) == text->bytes;
  if (file != NULL && fclose(file) != 0) good = false;
  return good || fail(why, LOCAL, "%s cannot be written (%s)", path, strerror(errno));
}

static bool undo(const struct text *dictionary, const char *path, const struct text *coded, struct text *text,
                 struct failure *why) {
  uint8_t digest[SHA256_BYTES];
  if (coded->bytes < HEAD_BYTES || memcmp(coded->data, MAGIC, sizeof MAGIC) != 0)
    return fail(why, MALFORMED, "%s is not coded as dcz", path);
  struct sha256 *hash = sha256_new();
  sha256_add(hash, dictionary->data, dictionary->bytes);
  sha256_end(hash, digest);
  sha256_free(hash);
  if (memcmp(coded->data + sizeof MAGIC, digest, SHA256_BYTES) != 0)
    return fail(why, MALFORMED, "%s is coded with another dictionary", path);
  const uint8_t *frame = coded->data + HEAD_BYTES;
  size_t frame_bytes = coded->bytes - HEAD_BYTES;
  unsigned long long bytes = ZSTD_getFrameContentSize(frame, frame_bytes);
  if (bytes == ZSTD_CONTENTSIZE_ERROR || bytes == ZSTD_CONTENTSIZE_UNKNOWN)
    return fail(why, MALFORMED, "%s does not say how many bytes it has", path);
  if (!make_room(text, bytes, path, why)) return false;
  ZSTD_DCtx *zstd = ZSTD_createDCtx();
  size_t made = ZSTD_decompress_usingDict(zstd, text->data, text->bytes, frame, frame_bytes, dictionary->data, dictionary->bytes);
  ZSTD_freeDCtx(zstd);
  if (ZSTD_isError(made)) return fail(why, MALFORMED, "%s is damaged (%s)", path, ZSTD_getErrorName(made));
  return made == text->bytes || fail(why, MALFORMED, "%s is shorter than it says", path);
}

bool decode_text(const char *dictionary_path, const char *coded_path, const char *text_path, struct failure *why) {
  struct text dictionary = {0}, coded = {0}, text = {0};
  bool good = read_text(dictionary_path, &dictionary, why) && read_text(coded_path, &coded, why) &&
              undo(&dictionary, coded_path, &coded, &text, why) && write_text(text_path, &text, why);
  free(text.data);
  free(coded.data);
  free(dictionary.data);
  return good;
}

bool print_dictionary(const char *path, struct failure *why) {
  uint8_t digest[SHA256_BYTES], base64[4 * ((SHA256_BYTES + 2) / 3) + 1];
  if (!sha256_file(path, digest, LOCAL, why)) return false;
  EVP_EncodeBlock(base64, digest, SHA256_BYTES);
  printf(":%s:\n", (char *)base64);
  return true;
}
