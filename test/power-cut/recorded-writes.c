/*
 * Preloaded into a program: writes down what it writes to the file RECORDED, into the file RECORD. An entry is two 64-bit numbers, the
 * first sector and how many, and these sectors as they are then; no sectors: the program waited for all of it to be on the disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_recorded(int fd)
{
	struct stat wanted, this;

	return getenv("RECORDED") != NULL && stat(getenv("RECORDED"), &wanted) == 0 && fstat(fd, &this) == 0
		&& wanted.st_dev == this.st_dev && wanted.st_ino == this.st_ino;
}

static void record(int fd, off_t at, size_t length)
{
	static char sectors[1 << 20];
	uint64_t first = at / SECTOR, count = length == 0 ? 0 : (at + length - 1) / SECTOR - first + 1;
	uint64_t head[2] = { first, count };
	size_t bytes = count * SECTOR;
	int log = open(getenv("RECORD"), O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (log < 0 || bytes > sizeof sectors || pread(fd, sectors, bytes, first * SECTOR) != (ssize_t)bytes
	    || REAL(write)(log, head, sizeof head) != sizeof head || REAL(write)(log, sectors, bytes) != (ssize_t)bytes)
		abort();
	close(log);
}

ssize_t write(int fd, const void *data, size_t length)
{
	off_t at = is_recorded(fd) ? lseek(fd, 0, SEEK_CUR) : -1;
	ssize_t written = REAL(write)(fd, data, length);

	if (at >= 0 && written > 0) record(fd, at, written);
	return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at)
{
	ssize_t written = REAL(pwrite)(fd, data, length, at);

	if (written > 0 && is_recorded(fd)) record(fd, at, written);
	return written;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t at)
{
	return pwrite(fd, data, length, at);
}

int fsync(int fd)
{
	int status = REAL(fsync)(fd);

	if (is_recorded(fd)) record(fd, 0, 0);
	return status;
}

int fdatasync(int fd)
{
	return fsync(fd);
}
