/*
 * A bounded queue of equal buffers between one producer and one consumer thread. The producer fills a buffer in
 * place, the consumer uses it in place.
 */
#ifndef WARMBOOT_RING_H
#define WARMBOOT_RING_H

#include "failure.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct slot {
  uint8_t *data; /* slot_bytes long, aligned to a page */
  size_t bytes;  /* used; producer and consumer agree on the rest */
  uint64_t tag;
};

struct ring {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct slot *slots;
  uint8_t *memory;
  uint32_t count;
  uint64_t filled, emptied; /* slots ever published and released */
  bool closed, abandoned;
};

/* memory_bytes is the aim for all buffers together; there are at least 2. Fails with LOCAL. */
bool ring_open(struct ring *ring, size_t slot_bytes, size_t memory_bytes, struct failure *why);
void ring_free(struct ring *ring);

/* Producer: waits for an empty buffer; NULL when the consumer has abandoned the ring. */
struct slot *ring_reserve(struct ring *ring);
void ring_publish(struct ring *ring);
/* Nothing more will come. */
void ring_close(struct ring *ring);

/* Consumer: waits for the next full buffer; NULL when the ring is closed and empty. */
struct slot *ring_take(struct ring *ring);
void ring_release(struct ring *ring);
/* Nothing more will be taken. */
void ring_abandon(struct ring *ring);

#endif
