/*
 * A link between two addresses of one machine, with delay and loss: what netem does, for kernels without it.
 *
 *     link NAME DELAY_US LOSS_PER_10000 SEED
 *
 * NAME is a new tun device with 10.9.0.1/24. What is sent to 10.9.0.2 comes back DELAY_US later with the two addresses swapped, so
 * that 10.9.0.2 is the same machine seen through the link: a server on 10.9.0.1 and a client that asks 10.9.0.2 talk through it,
 * both ways. Swapped addresses leave the checksums as they are. Packets keep their order; each is lost by chance, from the seed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE = 65536, MTU = 1500, IPV4_HEADER = 20, SOURCE_AT = 12 };

struct packet {
  int64_t due_ns;
  uint16_t length;
  unsigned char bytes[MTU];
};

static struct packet queue[QUEUE];
static unsigned head, tail;
static uint64_t random_state;

static int64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static uint32_t next_random(void)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state >> 32;
}

static int open_tun(const char *name)
{
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  if (tun < 0)
    return -1;
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  return ioctl(tun, TUNSETIFF, &request) < 0 ? -1 : tun;
}

static void take_all(int tun, int64_t delay_ns, uint32_t loss)
{
  while (tail - head < QUEUE) {
    struct packet *packet = &queue[tail % QUEUE];
    ssize_t length = read(tun, packet->bytes, MTU);
    unsigned char source[4];
    if (length < 0)
      return;
    if (length < IPV4_HEADER || packet->bytes[0] >> 4 != 4 || next_random() % 10000 < loss)
      continue;
    memcpy(source, packet->bytes + SOURCE_AT, 4);
    memcpy(packet->bytes + SOURCE_AT, packet->bytes + SOURCE_AT + 4, 4);
    memcpy(packet->bytes + SOURCE_AT + 4, source, 4);
    packet->length = length;
    packet->due_ns = now_ns() + delay_ns;
    tail++;
  }
}

int main(int count, char **arguments)
{
  struct pollfd readable = {.events = POLLIN};
  int64_t delay_ns;
  uint32_t loss;

  if (count != 5) {
    fprintf(stderr, "link NAME DELAY_US LOSS_PER_10000 SEED\n");
    return 2;
  }
  delay_ns = atoll(arguments[2]) * 1000;
  loss = atoi(arguments[3]);
  random_state = (strtoull(arguments[4], NULL, 10) + 1) * 0x9e3779b97f4a7c15ULL;
  for (int warm = 0; warm < 20; warm++) /* seeds side by side begin alike */
    next_random();
  readable.fd = open_tun(arguments[1]);
  if (readable.fd < 0) {
    perror("link: /dev/net/tun");
    return 1;
  }
  puts("ready");
  fflush(stdout);
  for (;;) {
    int64_t wait_ns = head == tail ? 1000000000 : queue[head % QUEUE].due_ns - now_ns();
    struct timespec wait = {.tv_nsec = wait_ns > 0 ? wait_ns % 1000000000 : 0, .tv_sec = wait_ns / 1000000000};
    if (wait_ns > 0)
      ppoll(&readable, 1, &wait, NULL);
    take_all(readable.fd, delay_ns, loss);
    while (head != tail && queue[head % QUEUE].due_ns <= now_ns()) {
      struct packet *packet = &queue[head++ % QUEUE];
      if (write(readable.fd, packet->bytes, packet->length) < 0 && errno == EBADFD)
        return 1;
    }
  }
}
