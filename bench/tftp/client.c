/*
 * Many TFTP clients (RFC 1350, 2347, 2348, 2349, 7440) in one process, for measuring servers.
 *
 *     client ADDRESS PORT NAME BLKSIZE WINDOWSIZE CLIENTS FILE
 *
 * All ask for NAME at once and compare every byte with FILE. Prints one line of JSON: what was agreed on, the milliseconds of
 * each client from its first request to its last block, how many failed. Options are asked for only where they differ from RFC 1350.
 * A client that hears nothing for a second repeats what it said last; it fails after half a minute.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DATA = 3, ACK = 4, ERROR = 5, OACK = 6, MAX_CLIENTS = 1000, MAX_DATAGRAM = 65535 };

static const int64_t PATIENCE_NS = 1000000000, GIVE_UP_NS = 30000000000;
/* Between two ACKs that say the same: a window of late blocks is not answered block by block. */
static const int64_t REPEAT_NS = 20000000;

struct client {
  int socket;
  int connected, done, failed;
  int said_gap; /* since the last block that was wanted */
  uint64_t block; /* the next one that is wanted */
  uint64_t offset;
  unsigned in_window;
  int64_t began_ns, ended_ns, spoke_ns;
  unsigned char said[600];
  size_t said_length;
};

static struct client clients[MAX_CLIENTS];
static struct sockaddr_in server;
static const unsigned char *file;
static size_t file_bytes;
static unsigned blksize = 512, windowsize = 1;

static int64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void say(struct client *c)
{
  c->spoke_ns = now_ns();
  if (c->connected)
    send(c->socket, c->said, c->said_length, 0);
  else
    sendto(c->socket, c->said, c->said_length, 0, (struct sockaddr *)&server, sizeof server);
}

static void acknowledge(struct client *c)
{
  uint16_t packet[2] = {htons(ACK), htons((c->block - 1) & 0xffff)};
  memcpy(c->said, packet, 4);
  c->said_length = 4;
  c->in_window = 0;
  say(c);
}

static void finish(struct client *c, int failed)
{
  c->ended_ns = now_ns();
  c->done = 1;
  c->failed = failed;
  close(c->socket);
}

static void take_options(const char *text, size_t length)
{
  const char *end = text + length;
  while (text < end) {
    const char *value = text + strlen(text) + 1;
    if (value >= end)
      return;
    if (!strcasecmp(text, "blksize"))
      blksize = atoi(value);
    if (!strcasecmp(text, "windowsize"))
      windowsize = atoi(value);
    text = value + strlen(value) + 1;
  }
}

static void take_data(struct client *c, uint16_t number, const unsigned char *data, size_t length)
{
  if (number != (c->block & 0xffff)) {
    if (!c->said_gap || now_ns() - c->spoke_ns >= REPEAT_NS)
      acknowledge(c);
    c->said_gap = 1;
    return;
  }
  if (c->offset + length > file_bytes || memcmp(data, file + c->offset, length)) {
    fprintf(stderr, "client: block %llu differs\n", (unsigned long long)c->block);
    finish(c, 1);
    return;
  }
  c->offset += length;
  c->block++;
  c->in_window++;
  c->said_gap = 0;
  if (length < blksize || c->in_window == windowsize)
    acknowledge(c);
  if (length < blksize)
    finish(c, c->offset != file_bytes);
}

static void take(struct client *c, unsigned char *packet, size_t length)
{
  uint16_t opcode = packet[0] << 8 | packet[1], number = packet[2] << 8 | packet[3];
  if (length < 4)
    return;
  if (opcode == DATA) {
    take_data(c, number, packet + 4, length - 4);
  } else if (opcode == OACK && c->block == 1) {
    packet[length - 1] = 0;
    take_options((char *)packet + 2, length - 2);
    acknowledge(c);
  } else if (opcode == ERROR) {
    fprintf(stderr, "client: error %d: %.*s\n", number, (int)length - 4, packet + 4);
    finish(c, 1);
  }
}

static void read_all(struct client *c)
{
  static unsigned char packet[MAX_DATAGRAM];
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  while (!c->done) {
    ssize_t length = recvfrom(c->socket, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
    if (length < 0)
      return;
    if (!c->connected) {
      c->connected = 1;
      connect(c->socket, (struct sockaddr *)&from, size);
    }
    take(c, packet, length);
  }
}

static size_t request(unsigned char *to, const char *name, const char *asked_blksize, const char *asked_windowsize)
{
  const char *options[8] = {name, "octet"};
  size_t count = 2, length = 2;
  to[0] = 0;
  to[1] = 1;
  if (atoi(asked_blksize) != 512) {
    options[count++] = "blksize";
    options[count++] = asked_blksize;
  }
  if (atoi(asked_windowsize) != 1) {
    options[count++] = "windowsize";
    options[count++] = asked_windowsize;
  }
  options[count++] = "timeout";
  options[count++] = "1";
  for (size_t at = 0; at < count; at++) {
    strcpy((char *)to + length, options[at]);
    length += strlen(options[at]) + 1;
  }
  return length;
}

int main(int count, char **arguments)
{
  struct epoll_event events[64];
  struct stat facts;
  int epoll = epoll_create1(0), total, left, source, failed = 0;

  if (count != 8) {
    fprintf(stderr, "client ADDRESS PORT NAME BLKSIZE WINDOWSIZE CLIENTS FILE\n");
    return 2;
  }
  server.sin_family = AF_INET;
  server.sin_port = htons(atoi(arguments[2]));
  inet_pton(AF_INET, arguments[1], &server.sin_addr);
  total = left = atoi(arguments[6]);
  source = open(arguments[7], O_RDONLY);
  if (total > MAX_CLIENTS || source < 0 || fstat(source, &facts) < 0)
    return 2;
  file_bytes = facts.st_size;
  file = mmap(NULL, file_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, source, 0);
  for (int at = 0; at < total; at++) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[at]};
    int buffer = 1 << 20;
    clients[at].block = 1;
    clients[at].socket = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(clients[at].socket, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    epoll_ctl(epoll, EPOLL_CTL_ADD, clients[at].socket, &event);
    clients[at].said_length = request(clients[at].said, arguments[3], arguments[4], arguments[5]);
  }
  for (int at = 0; at < total; at++) {
    clients[at].began_ns = now_ns();
    say(&clients[at]);
  }
  while (left > 0) {
    int ready = epoll_wait(epoll, events, 64, 100);
    int64_t now = now_ns();
    for (int at = 0; at < ready; at++)
      read_all(events[at].data.ptr);
    left = 0;
    for (int at = 0; at < total; at++) {
      struct client *c = &clients[at];
      if (c->done)
        continue;
      left++;
      if (now - c->began_ns > GIVE_UP_NS)
        finish(c, 1);
      else if (now - c->spoke_ns > PATIENCE_NS)
        say(c);
    }
  }
  printf("{\"blksize\":%u,\"windowsize\":%u,\"ms\":[", blksize, windowsize);
  for (int at = 0; at < total; at++) {
    failed += clients[at].failed;
    printf("%s%.2f", at ? "," : "", (clients[at].ended_ns - clients[at].began_ns) / 1e6);
  }
  printf("],\"failed\":%d}\n", failed);
  return 0;
}
