#include "commands.h"
#include "json.h"

#include <stdio.h>
#include <string.h>

enum { VALUE_BYTES = 8192, NAME_BYTES = 256 };

struct search {
  struct json json;
  bool found;
  char value[VALUE_BYTES];
};

/* Reads one value; `path` is what still has to be followed, NULL: this is it. */
static void descend(struct search *search, const char *path) {
  struct json *json = &search->json;
  char kind = json_peek(json), key[NAME_BYTES];
  if (path == NULL) {
    if (kind == '{' || kind == '[') json_refuse(json, "the wanted field is no single value");
    else json_scalar(json, search->value, sizeof search->value);
    if (search->found) json_refuse(json, "the wanted field comes twice");
    search->found = true;
    return;
  }
  size_t length = strcspn(path, ".");
  const char *rest = path[length] == '.' ? path + length + 1 : NULL;
  if (kind == '{') {
    json_object(json);
    while (json_key(json, key, sizeof key)) {
      if (strlen(key) == length && memcmp(key, path, length) == 0) descend(search, rest);
      else json_skip(json);
    }
  } else if (kind == '[') {
    json_array(json);
    for (unsigned long i = 0; json_item(json); i++) {
      snprintf(key, sizeof key, "%lu", i);
      if (strlen(key) == length && memcmp(key, path, length) == 0) descend(search, rest);
      else json_skip(json);
    }
  } else {
    json_skip(json);
  }
}

bool print_field(const char *json_path, const char *field_path, struct failure *why) {
  static struct search search;
  /* Read to the end even when found: a file that was cut off answers nothing. */
  if (json_open(&search.json, json_path, why)) {
    descend(&search, field_path);
    json_end(&search.json);
  }
  json_close(&search.json);
  if (!search.found) fail(why, MALFORMED, "%s has no field %s", json_path, field_path);
  if (why->code == DONE) puts(search.value);
  return why->code == DONE;
}
