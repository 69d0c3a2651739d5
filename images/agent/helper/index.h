/*
 * index.json (what lies on the partition) and frames.json (how its chunks are compressed and sent), checked and
 * held in arrays of 56 and 8 bytes an entry: an image of 10 GB has some 160,000 chunks.
 */
#ifndef WARMBOOT_INDEX_H
#define WARMBOOT_INDEX_H

#include "failure.h"
#include "sha256.h"

#include <stddef.h>
#include <stdint.h>

#define NO_CHUNK UINT32_MAX

struct chunk {
  uint64_t offset; /* in the partition; a multiple of the block, rising */
  uint32_t bytes;  /* a multiple of the block, at most index.chunk_bytes_max */
  uint32_t next;   /* the next chunk of equal content, or NO_CHUNK */
  uint8_t sha256[SHA256_BYTES];
};

struct index {
  uint64_t bytes;           /* of the filesystem; what no chunk covers reads as zeros */
  uint32_t block_bytes;     /* a power of two, 4 KiB to 64 KiB */
  uint32_t chunk_bytes_max; /* at most 16 MiB */
  uint32_t chunk_count;
  struct chunk *chunks;
  /* By frames_read: each chunk's first one of equal content; and those, in the order of their sha256. */
  uint32_t *first, *contents;
  uint32_t content_count;
};

struct frame {
  uint32_t bytes; /* compressed; frames lie in `data` one behind the other */
  uint32_t first; /* the first chunk of this content; the others follow by `next` */
};

struct frames {
  uint64_t bytes; /* of `data` */
  uint32_t count;
  struct frame *frames;
  uint32_t frame_bytes_max; /* of this file's frames */
};

/* Both fail with MALFORMED and a sentence that names file and place (LOCAL when memory ends). */
bool index_read(struct index *index, const char *path, struct failure *why);
/* Also links equal chunks, and holds the frames against the index: each different chunk has exactly one. */
bool frames_read(struct frames *frames, const char *path, struct index *index, const char *index_path,
                 struct failure *why);

/* The first chunk with this content; NO_CHUNK when the index does not have it. After frames_read. */
uint32_t index_find(const struct index *index, const uint8_t *sha256);

void index_free(struct index *index);
void frames_free(struct frames *frames);

/* Where the zeros before chunk i begin; i = chunk_count asks for those behind the last one. */
uint64_t index_gap_start(const struct index *index, uint32_t i);
/* Where they end: at the chunk, or at the end of the filesystem. */
uint64_t index_gap_end(const struct index *index, uint32_t i);

#endif
