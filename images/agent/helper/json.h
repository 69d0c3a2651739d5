/*
 * A strict, streaming reader of JSON (RFC 8259): the caller pulls the values that it knows, in the order in
 * which they come. Nothing is kept, so a file of any size costs 64 KiB.
 *
 * The first error sticks: from then on every call answers "nothing" (0, false, ""), so that a caller may read
 * a whole structure and look at the failure once.
 */
#ifndef WARMBOOT_JSON_H
#define WARMBOOT_JSON_H

#include "failure.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
  FILE *file;
  const char *path;
  uint64_t at;  /* bytes consumed, for messages */
  int next;     /* one byte ahead, EOF at the end */
  bool opened;  /* an object or array was just begun: no comma before its first member */
  struct failure *why;
};

/* All errors of a json are MALFORMED. json_close may be called after a failed json_open. */
bool json_open(struct json *json, const char *path, struct failure *why);
void json_close(struct json *json);
/* True when all was read and nothing but white space follows. */
bool json_end(struct json *json);
/* Records an error of the caller's own at the present place; returns false. */
bool json_refuse(struct json *json, const char *what);

/* json_object(&j); while (json_key(&j, key, sizeof key)) … one value call …   The same for arrays. */
void json_object(struct json *json);
bool json_key(struct json *json, char *key, size_t capacity);
void json_array(struct json *json);
bool json_item(struct json *json);

/* The next value's first character, '\0' after an error. */
char json_peek(struct json *json);
/* A whole number from 0 to max, written without sign, fraction or exponent. */
uint64_t json_count(struct json *json, uint64_t max);
/* A string, decoded to UTF-8; longer than capacity - 1 bytes or with control characters is an error. */
void json_text(struct json *json, char *text, size_t capacity);
/* Consumes null if it comes next. */
bool json_null(struct json *json);
/* Any scalar as text: strings decoded, numbers as written, true, false; null as "". */
void json_scalar(struct json *json, char *text, size_t capacity);
/* Any value, checked and dropped; at most 32 levels deep. */
void json_skip(struct json *json);

#endif
