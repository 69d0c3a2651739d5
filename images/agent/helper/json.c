#include "json.h"

#include <errno.h>
#include <string.h>

enum { MAX_DEPTH = 32 };

bool json_refuse(struct json *json, const char *what) {
  return fail(json->why, MALFORMED, "%s is refused near byte %llu: %s; fetch it again, or renew this program",
              json->path, (unsigned long long)json->at, what);
}

static bool failed(const struct json *json) { return json->why->code != DONE; }

/* Consumes one byte. After an error no more is read: every loop below ends at EOF. */
static int take(struct json *json) {
  int byte = json->next;
  if (byte == EOF) return EOF;
  json->at++;
  json->next = failed(json) ? EOF : getc_unlocked(json->file);
  return byte;
}

static int after_space(struct json *json) {
  while (json->next == ' ' || json->next == '\n' || json->next == '\r' || json->next == '\t') take(json);
  return failed(json) ? EOF : json->next;
}

static bool expect(struct json *json, char wanted) {
  if (after_space(json) == wanted) {
    take(json);
    return true;
  }
  char what[] = "'?' expected";
  what[1] = wanted;
  return json_refuse(json, what);
}

bool json_open(struct json *json, const char *path, struct failure *why) {
  *json = (struct json){.path = path, .next = EOF, .why = why};
  json->file = fopen(path, "re");
  if (json->file == NULL)
    return fail(why, MALFORMED, "%s cannot be opened (%s): check the path", path, strerror(errno));
  setvbuf(json->file, NULL, _IOFBF, 1 << 16);
  json->next = getc_unlocked(json->file);
  return true;
}

void json_close(struct json *json) {
  if (json->file != NULL) fclose(json->file);
  json->file = NULL;
}

bool json_end(struct json *json) {
  if (failed(json)) return false;
  if (after_space(json) != EOF) return json_refuse(json, "something follows the end");
  if (ferror(json->file)) return fail(json->why, MALFORMED, "%s cannot be read", json->path);
  return true;
}

char json_peek(struct json *json) {
  int byte = after_space(json);
  return byte == EOF ? '\0' : (char)byte;
}

void json_object(struct json *json) { json->opened = expect(json, '{'); }
void json_array(struct json *json) { json->opened = expect(json, '['); }

/* Steps over the comma before a member; false at the closing character, which is consumed. */
static bool member(struct json *json, char close) {
  bool first = json->opened;
  json->opened = false;
  if (after_space(json) == close) {
    take(json);
    return false;
  }
  if (!first && !expect(json, ',')) return false;
  return !failed(json);
}

bool json_key(struct json *json, char *key, size_t capacity) {
  key[0] = '\0';
  if (!member(json, '}')) return false;
  json_text(json, key, capacity);
  return expect(json, ':');
}

bool json_item(struct json *json) { return member(json, ']'); }

uint64_t json_count(struct json *json, uint64_t max) {
  char text[24];
  if (json_peek(json) == '"') return json_refuse(json, "a number expected");
  json_scalar(json, text, sizeof text);
  if (failed(json)) return 0;
  uint64_t number = 0;
  for (const char *digit = text; digit == text || *digit != '\0'; digit++) {
    if (*digit < '0' || *digit > '9') return json_refuse(json, "a whole number expected");
    uint64_t value = (uint64_t)(*digit - '0');
    if (value > max || number > (max - value) / 10) return json_refuse(json, "a number is too large");
    number = number * 10 + value;
  }
  return number;
}

struct text {
  char *bytes;
  size_t length, capacity;
};

static void append(struct json *json, struct text *text, uint32_t byte) {
  if (text->length + 1 >= text->capacity) json_refuse(json, "a value is too long");
  else text->bytes[text->length++] = (char)byte;
}

static uint32_t hex4(struct json *json) {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++) {
    int byte = take(json);
    uint32_t digit = byte >= '0' && byte <= '9'   ? (uint32_t)(byte - '0')
                     : byte >= 'a' && byte <= 'f' ? (uint32_t)(byte - 'a' + 10)
                     : byte >= 'A' && byte <= 'F' ? (uint32_t)(byte - 'A' + 10)
                                                  : 16;
    if (digit == 16) return (uint32_t)json_refuse(json, "\\u needs four hex digits");
    value = value << 4 | digit;
  }
  return value;
}

static void unicode(struct json *json, struct text *text) {
  uint32_t code = hex4(json);
  if (code >= 0xd800 && code < 0xdc00) {
    uint32_t low = take(json) == '\\' && take(json) == 'u' ? hex4(json) : 0;
    if (low < 0xdc00 || low > 0xdfff) code = 0xdfff;
    else code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  if (code < 0x20 || code == 0x7f) {
    json_refuse(json, "a control character in a string");
  } else if (code >= 0xd800 && code < 0xe000) {
    json_refuse(json, "half a surrogate pair");
  } else if (code < 0x80) {
    append(json, text, code);
  } else if (code < 0x800) {
    append(json, text, 0xc0 | code >> 6);
    append(json, text, 0x80 | (code & 63));
  } else if (code < 0x10000) {
    append(json, text, 0xe0 | code >> 12);
    append(json, text, 0x80 | (code >> 6 & 63));
    append(json, text, 0x80 | (code & 63));
  } else {
    append(json, text, 0xf0 | code >> 18);
    append(json, text, 0x80 | (code >> 12 & 63));
    append(json, text, 0x80 | (code >> 6 & 63));
    append(json, text, 0x80 | (code & 63));
  }
}

void json_text(struct json *json, char *bytes, size_t capacity) {
  struct text text = {bytes, 0, capacity};
  bytes[0] = '\0';
  if (!expect(json, '"')) return;
  int byte;
  while ((byte = take(json)) != '"') {
    if (byte == EOF || failed(json)) {
      json_refuse(json, "the file ends inside a string");
      break;
    }
    /* Escaped ones too: values go to shell scripts line by line, and none of ours needs one. */
    if (byte < 0x20 || byte == 0x7f) {
      json_refuse(json, "a control character in a string");
    } else if (byte != '\\') {
      append(json, &text, (uint32_t)byte);
    } else if ((byte = take(json)) == 'u') {
      unicode(json, &text);
    } else if (byte == '"' || byte == '\\' || byte == '/') {
      append(json, &text, (uint32_t)byte);
    } else {
      json_refuse(json, "an escape that is unknown or stands for a control character");
    }
  }
  bytes[failed(json) ? 0 : text.length] = '\0';
}

static void digits(struct json *json, struct text *text) {
  if (json->next < '0' || json->next > '9') json_refuse(json, "a digit expected");
  while (json->next >= '0' && json->next <= '9') append(json, text, (uint32_t)take(json));
}

static void number(struct json *json, struct text *text) {
  if (json->next == '-') append(json, text, (uint32_t)take(json));
  if (json->next == '0') append(json, text, (uint32_t)take(json));
  else digits(json, text);
  if (json->next == '.') {
    append(json, text, (uint32_t)take(json));
    digits(json, text);
  }
  if (json->next == 'e' || json->next == 'E') {
    append(json, text, (uint32_t)take(json));
    if (json->next == '+' || json->next == '-') append(json, text, (uint32_t)take(json));
    digits(json, text);
  }
}

static bool word(struct json *json, const char *letters) {
  for (const char *letter = letters; *letter != '\0'; letter++)
    if (take(json) != *letter) return json_refuse(json, "a value expected");
  return !failed(json);
}

bool json_null(struct json *json) { return json_peek(json) == 'n' && word(json, "null"); }

void json_scalar(struct json *json, char *bytes, size_t capacity) {
  struct text text = {bytes, 0, capacity};
  bytes[0] = '\0';
  switch (json_peek(json)) {
    case '"': json_text(json, bytes, capacity); return;
    case 'n': word(json, "null"); return;
    case 't': if (word(json, "true")) snprintf(bytes, capacity, "true"); return;
    case 'f': if (word(json, "false")) snprintf(bytes, capacity, "false"); return;
    case '\0': json_refuse(json, "the file ends too early"); return;
    default: number(json, &text);
  }
  bytes[failed(json) ? 0 : text.length] = '\0';
}

static void skip(struct json *json, int depth) {
  char text[4096];
  char kind = json_peek(json);
  if (depth == MAX_DEPTH) {
    json_refuse(json, "too many levels");
  } else if (kind == '{') {
    json_object(json);
    while (json_key(json, text, sizeof text)) skip(json, depth + 1);
  } else if (kind == '[') {
    json_array(json);
    while (json_item(json)) skip(json, depth + 1);
  } else {
    json_scalar(json, text, sizeof text);
  }
}

void json_skip(struct json *json) { skip(json, 0); }
