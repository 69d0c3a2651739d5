#include "commands.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

enum { SIGNATURE_TEXT_MAX = 256 }; /* a DER signature of P-256 has at most 72 bytes, 96 in base64 */

static FILE *open_file(const char *path, struct failure *why) {
  FILE *file = fopen(path, "re");
  if (file == NULL) fail(why, MALFORMED, "%s cannot be opened (%s): check the path", path, strerror(errno));
  return file;
}

static EVP_PKEY *read_key(const char *path, struct failure *why) {
  char group[64] = "";
  FILE *file = open_file(path, why);
  if (file == NULL) return NULL;
  EVP_PKEY *key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
  fclose(file);
  if (key != NULL && EVP_PKEY_is_a(key, "EC") &&
      EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, NULL) &&
      strcmp(group, "prime256v1") == 0)
    return key;
  EVP_PKEY_free(key);
  fail(why, MALFORMED, "%s holds no public key of the curve P-256 in PEM form: put the server's key there", path);
  return NULL;
}

/* Returns the decoded length, 0 when the text is no base64 (white space at the end is allowed). */
static size_t decode(char *text, size_t length, uint8_t *bytes) {
  while (length > 0 && strchr("\r\n \t", text[length - 1]) != NULL) length--;
  text[length] = '\0';
  size_t letters = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
  size_t padding = length - letters;
  if (length == 0 || length % 4 != 0 || padding > 2 || strspn(text + letters, "=") != padding) return 0;
  int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
  return decoded < 0 ? 0 : (size_t)decoded - padding;
}

static size_t read_signature(const char *path, uint8_t *bytes, struct failure *why) {
  char text[SIGNATURE_TEXT_MAX + 1] = "";
  FILE *file = open_file(path, why);
  if (file == NULL) return 0;
  size_t length = fread(text, 1, sizeof text, file);
  fclose(file);
  size_t decoded = length < sizeof text ? decode(text, length, bytes) : 0;
  if (decoded == 0) fail(why, BAD_SIGNATURE, "%s holds no signature in base64: the answer is not to be trusted", path);
  return decoded;
}

static bool verify(EVP_MD_CTX *context, EVP_PKEY *key, const uint8_t *signature, size_t length, const char *body_path,
                   struct failure *why) {
  FILE *body = open_file(body_path, why);
  if (body == NULL) return false;
  bool good = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1;
  static uint8_t buffer[1 << 16];
  size_t got;
  while (good && (got = fread(buffer, 1, sizeof buffer, body)) > 0)
    good = EVP_DigestVerifyUpdate(context, buffer, got) == 1;
  good = good && !ferror(body);
  fclose(body);
  return (good && EVP_DigestVerifyFinal(context, signature, length) == 1) ||
         fail(why, BAD_SIGNATURE,
              "the signature does not belong to %s and this key: it was altered on its way, or comes from another "
              "server; it is not used",
              body_path);
}

bool verify_signature(const char *key_path, const char *signature_path, const char *body_path, struct failure *why) {
  uint8_t signature[SIGNATURE_TEXT_MAX];
  EVP_PKEY *key = read_key(key_path, why);
  size_t length = key == NULL ? 0 : read_signature(signature_path, signature, why);
  EVP_MD_CTX *context = length == 0 ? NULL : EVP_MD_CTX_new();
  bool good = context != NULL ? verify(context, key, signature, length, body_path, why)
                              : fail(why, LOCAL, "memory ended: the machine has too little of it");
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  return good;
}
