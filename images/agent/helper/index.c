#include "index.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { KEY_BYTES = 64, CHUNK_BYTES_LIMIT = 16 << 20 };
#define BYTES_LIMIT ((uint64_t)1 << 52) /* 4 PiB; far below where JSON numbers lose digits */

/* Remembers which fields came; a field that comes twice could mean two things to two readers. */
static void once(struct json *json, unsigned *seen, unsigned field) {
  if (*seen & field) json_refuse(json, "a field comes twice");
  *seen |= field;
}

/*
 * What a reader must be able to do to understand the document (a kind of frame, say): nothing more is known yet.
 * Every other key that is not known may be passed over.
 */
static void read_requires(struct json *json) {
  json_array(json);
  while (json_item(json)) {
    char what[KEY_BYTES], sentence[2 * KEY_BYTES];
    json_text(json, what, sizeof what);
    snprintf(sentence, sizeof sentence, "it requires '%s', which this program does not know", what);
    json_refuse(json, sentence);
  }
}

/* Returns the (perhaps moved) array with room for one more entry; NULL when there is none. */
static void *grow(void *array, uint32_t count, uint32_t *room, size_t entry_bytes, struct failure *why) {
  if (count < *room) return array;
  uint32_t more = *room == 0 ? 1024 : *room * 2;
  void *moved = more > NO_CHUNK / 2 ? NULL : realloc(array, more * entry_bytes);
  if (moved == NULL) fail(why, LOCAL, "memory ended while reading the index: the machine has too little of it");
  else *room = more;
  return moved;
}

static void read_chunk(struct json *json, struct chunk *chunk) {
  enum { OFFSET = 1, BYTES = 2, SHA256 = 4, ALL = 7 };
  char key[KEY_BYTES], hex[SHA256_HEX];
  unsigned seen = 0;
  json_object(json);
  while (json_key(json, key, sizeof key)) {
    if (strcmp(key, "offset") == 0) {
      once(json, &seen, OFFSET);
      chunk->offset = json_count(json, BYTES_LIMIT);
    } else if (strcmp(key, "bytes") == 0) {
      once(json, &seen, BYTES);
      chunk->bytes = (uint32_t)json_count(json, CHUNK_BYTES_LIMIT);
    } else if (strcmp(key, "sha256") == 0) {
      once(json, &seen, SHA256);
      json_text(json, hex, sizeof hex);
      if (!sha256_parse(hex, chunk->sha256)) json_refuse(json, "a chunk's sha256 is not 64 lower-case hex digits");
    } else {
      json_skip(json);
    }
  }
  if (seen != ALL) json_refuse(json, "a chunk lacks offset, bytes or sha256");
}

static void read_chunks(struct json *json, struct index *index) {
  uint32_t room = 0;
  json_array(json);
  while (json_item(json)) {
    struct chunk chunk = {.next = NO_CHUNK};
    read_chunk(json, &chunk);
    struct chunk *chunks = grow(index->chunks, index->chunk_count, &room, sizeof chunk, json->why);
    if (chunks == NULL) return;
    index->chunks = chunks;
    index->chunks[index->chunk_count++] = chunk;
  }
}

static void read_filesystem(struct json *json, struct index *index) {
  char key[KEY_BYTES];
  unsigned seen = 0;
  if (json_null(json)) {
    json_refuse(json, "this image (an installer?) holds no filesystem");
    return;
  }
  json_object(json);
  while (json_key(json, key, sizeof key)) {
    if (strcmp(key, "bytes") == 0) {
      once(json, &seen, 1);
      index->bytes = json_count(json, BYTES_LIMIT);
    } else {
      json_skip(json);
    }
  }
  if (seen == 0) json_refuse(json, "filesystem.bytes is missing");
}

static void read_chunking(struct json *json, struct index *index) {
  enum { BLOCK = 1, MAX = 2, ALL = 3 };
  char key[KEY_BYTES];
  unsigned seen = 0;
  uint64_t blocks = 0;
  json_object(json);
  while (json_key(json, key, sizeof key)) {
    if (strcmp(key, "blockBytes") == 0) {
      once(json, &seen, BLOCK);
      index->block_bytes = (uint32_t)json_count(json, 1 << 16);
    } else if (strcmp(key, "maxBlocks") == 0) {
      once(json, &seen, MAX);
      blocks = json_count(json, CHUNK_BYTES_LIMIT);
    } else {
      json_skip(json); /* how the cuts were found does not matter here */
    }
  }
  if (seen != ALL) json_refuse(json, "chunking.blockBytes or maxBlocks is missing");
  /* 4 KiB at least: direct reads must begin and end on a sector of every disk. */
  if (index->block_bytes < 4096 || (index->block_bytes & (index->block_bytes - 1)) != 0)
    json_refuse(json, "chunking.blockBytes is not a power of two from 4096 to 65536");
  else if (blocks == 0 || blocks > CHUNK_BYTES_LIMIT / index->block_bytes)
    json_refuse(json, "chunking.maxBlocks allows chunks of no byte or of more than 16 MiB");
  else index->chunk_bytes_max = (uint32_t)blocks * index->block_bytes;
}

static bool validate(const struct index *index, const char *path, struct failure *why) {
  const uint64_t mask = index->block_bytes - 1;
  if (index->bytes == 0 || (index->bytes & mask) != 0)
    return fail(why, MALFORMED, "%s is malformed: filesystem.bytes is no multiple of the block", path);
  uint64_t end = 0;
  for (uint32_t i = 0; i < index->chunk_count; i++) {
    const struct chunk *chunk = &index->chunks[i];
    const char *what = chunk->bytes == 0                        ? "is empty"
                       : ((chunk->offset | chunk->bytes) & mask) != 0 ? "does not lie on whole blocks"
                       : chunk->bytes > index->chunk_bytes_max  ? "is larger than chunking.maxBlocks allows"
                       : chunk->offset < end                    ? "begins before the end of the one before it"
                       : chunk->offset > index->bytes - chunk->bytes || chunk->bytes > index->bytes
                           ? "ends behind the filesystem"
                           : NULL;
    if (what != NULL)
      return fail(why, MALFORMED, "%s is malformed: chunk %u at offset %llu %s; fetch it again", path, i,
                  (unsigned long long)chunk->offset, what);
    end = chunk->offset + chunk->bytes;
  }
  return true;
}

bool index_read(struct index *index, const char *path, struct failure *why) {
  enum { VERSION = 1, FILESYSTEM = 2, CHUNKING = 4, CHUNKS = 8, ALL = 15, REQUIRES = 16 };
  char key[KEY_BYTES];
  unsigned seen = 0;
  struct json json;
  *index = (struct index){0};
  if (!json_open(&json, path, why)) return false;
  json_object(&json);
  while (json_key(&json, key, sizeof key)) {
    if (strcmp(key, "version") == 0) {
      once(&json, &seen, VERSION);
      if (json_count(&json, UINT32_MAX) != 1) json_refuse(&json, "this program reads version 1 only");
    } else if (strcmp(key, "requires") == 0) {
      once(&json, &seen, REQUIRES);
      read_requires(&json);
    } else if (strcmp(key, "filesystem") == 0) {
      once(&json, &seen, FILESYSTEM);
      read_filesystem(&json, index);
    } else if (strcmp(key, "chunking") == 0) {
      once(&json, &seen, CHUNKING);
      read_chunking(&json, index);
    } else if (strcmp(key, "chunks") == 0) {
      once(&json, &seen, CHUNKS);
      read_chunks(&json, index);
    } else {
      json_skip(&json);
    }
  }
  if ((seen & ALL) != ALL) json_refuse(&json, "version, filesystem, chunking or chunks is missing");
  bool good = json_end(&json) && validate(index, path, why);
  json_close(&json);
  return good;
}

static int compare(const void *left, const void *right, void *chunks) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  const struct chunk *all = chunks;
  int order = memcmp(all[a].sha256, all[b].sha256, SHA256_BYTES);
  return order != 0 ? order : a < b ? -1 : a > b;
}

/* Links chunks of equal content. */
static bool link_equal(struct index *index, struct failure *why) {
  uint32_t *firsts = index->contents;
  for (uint32_t i = 0; i < index->chunk_count; i++) firsts[i] = i;
  qsort_r(firsts, index->chunk_count, sizeof *firsts, compare, index->chunks);
  uint32_t count = 0;
  struct chunk *before = NULL;
  for (uint32_t i = 0; i < index->chunk_count; i++) {
    uint32_t here = firsts[i];
    struct chunk *chunk = &index->chunks[here];
    if (before == NULL || memcmp(before->sha256, chunk->sha256, SHA256_BYTES) != 0) {
      firsts[count++] = here;
    } else if (before->bytes != chunk->bytes) {
      return fail(why, MALFORMED, "the index is malformed: chunk %u has the sha256 of another of other length", here);
    } else {
      before->next = here;
    }
    index->first[here] = firsts[count - 1];
    before = chunk;
  }
  index->content_count = count;
  return true;
}

uint32_t index_find(const struct index *index, const uint8_t *sha256) {
  uint32_t low = 0, high = index->content_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2, first = index->contents[middle];
    int order = memcmp(index->chunks[first].sha256, sha256, SHA256_BYTES);
    if (order == 0) return first;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return NO_CHUNK;
}

/* `taken`: of each chunk, whether a frame of its content came. */
static void read_frame(struct json *json, const struct index *index, bool *taken, struct frames *frames,
                       struct frame *frame) {
  enum { OFFSET = 1, BYTES = 2, CHUNK = 4, ALL = 7 };
  char key[KEY_BYTES], hex[SHA256_HEX];
  unsigned seen = 0;
  json_object(json);
  while (json_key(json, key, sizeof key)) {
    if (strcmp(key, "offset") == 0) {
      once(json, &seen, OFFSET);
      if (json_count(json, BYTES_LIMIT) != frames->bytes)
        json_refuse(json, "a frame does not begin where the one before it ends");
    } else if (strcmp(key, "bytes") == 0) {
      once(json, &seen, BYTES);
      /* zstd never makes more than this of a chunk: a larger number is an error or an attack on the memory. */
      frame->bytes = (uint32_t)json_count(json, ZSTD_COMPRESSBOUND((size_t)index->chunk_bytes_max));
      if (frame->bytes == 0) json_refuse(json, "a frame is empty");
    } else if (strcmp(key, "chunk") == 0) {
      uint8_t sha256[SHA256_BYTES];
      once(json, &seen, CHUNK);
      json_text(json, hex, sizeof hex);
      if (!sha256_parse(hex, sha256)) {
        json_refuse(json, "a frame's chunk is not 64 lower-case hex digits");
        continue;
      }
      uint32_t first = index_find(index, sha256);
      if (first == NO_CHUNK) {
        json_refuse(json, "a frame's chunk is not in the index");
      } else if (taken[first]) {
        json_refuse(json, "a chunk has two frames");
      } else {
        taken[first] = true;
        frame->first = first;
      }
    } else {
      json_skip(json);
    }
  }
  if (seen != ALL) json_refuse(json, "a frame lacks offset, bytes or chunk");
}

static void read_frames(struct json *json, const struct index *index, bool *taken, struct frames *frames) {
  uint32_t room = 0;
  json_array(json);
  while (json_item(json)) {
    struct frame frame = {0};
    read_frame(json, index, taken, frames, &frame);
    struct frame *moved = grow(frames->frames, frames->count, &room, sizeof frame, json->why);
    if (moved == NULL) return;
    frames->frames = moved;
    frames->frames[frames->count++] = frame;
    frames->bytes += frame.bytes;
    if (frame.bytes > frames->frame_bytes_max) frames->frame_bytes_max = frame.bytes;
  }
}

static bool read_file(struct frames *frames, const char *path, const struct index *index, const char *index_digest,
                      bool *taken, struct failure *why) {
  enum { VERSION = 1, INDEX = 2, COMPRESSION = 4, BYTES = 8, FRAMES = 16, ALL = 31, REQUIRES = 32 };
  char key[KEY_BYTES], text[128];
  unsigned seen = 0;
  uint64_t bytes = 0;
  struct json json;
  if (!json_open(&json, path, why)) return false;
  json_object(&json);
  while (json_key(&json, key, sizeof key)) {
    if (strcmp(key, "version") == 0) {
      once(&json, &seen, VERSION);
      if (json_count(&json, UINT32_MAX) != 1) json_refuse(&json, "this program reads version 1 only");
    } else if (strcmp(key, "requires") == 0) {
      once(&json, &seen, REQUIRES);
      read_requires(&json);
    } else if (strcmp(key, "index") == 0) {
      once(&json, &seen, INDEX);
      json_text(&json, text, sizeof text);
      if (strncmp(text, "sha256:", 7) != 0 || strcmp(text + 7, index_digest) != 0)
        json_refuse(&json, "it belongs to another index");
    } else if (strcmp(key, "compression") == 0) {
      once(&json, &seen, COMPRESSION);
      json_text(&json, text, sizeof text);
      if (strcmp(text, "zstd") != 0) json_refuse(&json, "this program reads zstd only");
    } else if (strcmp(key, "bytes") == 0) {
      once(&json, &seen, BYTES);
      bytes = json_count(&json, BYTES_LIMIT);
    } else if (strcmp(key, "frames") == 0) {
      once(&json, &seen, FRAMES);
      read_frames(&json, index, taken, frames);
    } else {
      json_skip(&json);
    }
  }
  if ((seen & ALL) != ALL) json_refuse(&json, "version, index, compression, bytes or frames is missing");
  bool good = json_end(&json);
  json_close(&json);
  if (good && bytes != frames->bytes)
    return fail(why, MALFORMED, "%s is malformed: its frames do not add up to its bytes; fetch it again", path);
  for (uint32_t i = 0; good && i < index->chunk_count; i++)
    if (!taken[index->first[i]])
      return fail(why, MALFORMED, "%s is malformed: chunk %u of the index has no frame; fetch it again", path, i);
  return good;
}

bool frames_read(struct frames *frames, const char *path, struct index *index, const char *index_path,
                 struct failure *why) {
  uint8_t digest[SHA256_BYTES];
  char hex[SHA256_HEX];
  *frames = (struct frames){0};
  if (!sha256_file(index_path, digest, MALFORMED, why)) return false;
  sha256_hex(digest, hex);

  bool *taken = calloc(index->chunk_count + 1, sizeof *taken);
  index->contents = malloc((index->chunk_count + 1) * sizeof *index->contents);
  index->first = malloc((index->chunk_count + 1) * sizeof *index->first);
  bool good = taken != NULL && index->contents != NULL && index->first != NULL
                  ? link_equal(index, why) && read_file(frames, path, index, hex, taken, why)
                  : fail(why, LOCAL, "memory ended while reading %s: the machine has too little of it", path);
  free(taken);
  return good;
}

void index_free(struct index *index) {
  free(index->chunks);
  free(index->first);
  free(index->contents);
  *index = (struct index){0};
}
void frames_free(struct frames *frames) { free(frames->frames); }

uint64_t index_gap_start(const struct index *index, uint32_t i) {
  return i == 0 ? 0 : index->chunks[i - 1].offset + index->chunks[i - 1].bytes;
}

uint64_t index_gap_end(const struct index *index, uint32_t i) {
  return i == index->chunk_count ? index->bytes : index->chunks[i].offset;
}
