/*
 * A bounded number of equal buffers between producer threads and one consumer thread. A producer fills a buffer in
 * place, the consumer uses it in place. What one producer publishes is taken in its order.
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
  bool unreadable;   /* what should be in it could not be read */
  struct slot *next; /* of the same list */
};

struct ring {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct slot *slots;
  uint8_t *memory;
  uint32_t count;
  struct slot *empty;         /* a stack */
  struct slot *full, **last; /* a queue */
  bool closed, abandoned;
};

/* memory_bytes is the aim for all buffers together; there are at least 2. Fails with LOCAL. */
bool ring_open(struct ring *ring, size_t slot_bytes, size_t memory_bytes, struct failure *why);
void ring_free(struct ring *ring);

/* Producer: waits for an empty buffer; NULL when the consumer has abandoned the ring. */
struct slot *ring_reserve(struct ring *ring);
void ring_publish(struct ring *ring, struct slot *slot);
/* Gives a buffer back unused. */
void ring_return(struct ring *ring, struct slot *slot);
/* Nothing more will come, from no producer. */
void ring_close(struct ring *ring);

/* Consumer: waits for the next full buffer; NULL when the ring is closed and empty. */
struct slot *ring_take(struct ring *ring);
void ring_release(struct ring *ring, struct slot *slot);
/* Nothing more will be taken. */
void ring_abandon(struct ring *ring);

#endif
