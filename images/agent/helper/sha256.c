#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sha256 {
  EVP_MD *algorithm;
  EVP_MD_CTX *context;
};

/* libcrypto fails here only for want of memory; a hash that silently is none would be worse than ending. */
static void insist(int worked) {
  if (!worked) abort();
}

struct sha256 *sha256_new(void) {
  struct sha256 *hash = malloc(sizeof *hash);
  insist(hash != NULL);
  /* Fetched once: looking the algorithm up costs more than hashing a 4 KiB block. */
  hash->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
  hash->context = EVP_MD_CTX_new();
  insist(hash->algorithm != NULL && hash->context != NULL);
  insist(EVP_DigestInit_ex2(hash->context, hash->algorithm, NULL));
  return hash;
}

void sha256_free(struct sha256 *hash) {
  if (hash == NULL) return;
  EVP_MD_CTX_free(hash->context);
  EVP_MD_free(hash->algorithm);
  free(hash);
}

void sha256_add(struct sha256 *hash, const void *data, size_t bytes) {
  insist(EVP_DigestUpdate(hash->context, data, bytes));
}

void sha256_end(struct sha256 *hash, uint8_t *digest) {
  insist(EVP_DigestFinal_ex(hash->context, digest, NULL));
  insist(EVP_DigestInit_ex2(hash->context, hash->algorithm, NULL));
}

void sha256_hex(const uint8_t *digest, char *hex) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < SHA256_BYTES; i++) {
    hex[2 * i] = digits[digest[i] >> 4];
    hex[2 * i + 1] = digits[digest[i] & 15];
  }
  hex[SHA256_HEX - 1] = '\0';
}

static int nibble(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

bool sha256_parse(const char *text, uint8_t *digest) {
  if (strlen(text) != SHA256_HEX - 1) return false;
  for (size_t i = 0; i < SHA256_BYTES; i++) {
    int high = nibble(text[2 * i]);
    int low = nibble(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    digest[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

bool sha256_file(const char *path, uint8_t *digest, enum outcome code, struct failure *why) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(why, code, "%s cannot be opened (%s): check the path", path, strerror(errno));

  static uint8_t buffer[1 << 16];
  struct sha256 *hash = sha256_new();
  ssize_t got;
  while ((got = read(fd, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR))
    if (got > 0) sha256_add(hash, buffer, (size_t)got);
  int error = errno;
  sha256_end(hash, digest);
  sha256_free(hash);
  close(fd);
  return got == 0 || fail(why, code, "%s cannot be read (%s)", path, strerror(error));
}
