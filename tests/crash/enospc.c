/* A full disk for one program: preloaded into PostgreSQL, it fails writes to regular files while a flag file exists.
 *
 * Flag file with the word "full": what would need new space fails, as on a full file system.
 * With the word "dead": every write fails, as on an overbooked volume or one that copies on write.
 * The descriptors 0 to 2 are left alone: the server's log is not on that disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FINE, FULL, DEAD };

static int state(void)
{
    const char *flag = getenv("CRASH_DISK_FLAG");
    char word[4];
    struct stat found;
    if (flag == NULL || stat(flag, &found) != 0)
        return FINE;
    int file = open(flag, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return FINE;
    ssize_t length = read(file, word, sizeof word);
    close(file);
    return length == sizeof word && memcmp(word, "dead", sizeof word) == 0 ? DEAD : FULL;
}

/* Whether writing up to `end` (-1: at the file's own position, `more` bytes) finds no space. */
static int no_space(int file, off_t end, off_t more)
{
    struct stat found;
    int now;
    if (file <= 2 || (now = state()) == FINE || fstat(file, &found) != 0 || !S_ISREG(found.st_mode))
        return 0;
    if (now == FULL) {
        if (end < 0)
            end = lseek(file, 0, SEEK_CUR) + more;
        if (end <= found.st_size)
            return 0;
    }
    errno = ENOSPC;
    return 1;
}

static off_t total(const struct iovec *parts, int count)
{
    off_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += (off_t) parts[i].iov_len;
    return sum;
}

#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *data, size_t size)
{
    static __typeof__(&write) real;
    if (real == NULL)
        real = REAL(write);
    return no_space(file, -1, (off_t) size) ? -1 : real(file, data, size);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    static __typeof__(&pwrite) real;
    if (real == NULL)
        real = REAL(pwrite);
    return no_space(file, offset + (off_t) size, 0) ? -1 : real(file, data, size, offset);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset)
{
    return pwrite(file, data, size, offset);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    static __typeof__(&writev) real;
    if (real == NULL)
        real = REAL(writev);
    return no_space(file, -1, total(parts, count)) ? -1 : real(file, parts, count);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset)
{
    static __typeof__(&pwritev) real;
    if (real == NULL)
        real = REAL(pwritev);
    return no_space(file, offset + total(parts, count), 0) ? -1 : real(file, parts, count, offset);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t offset)
{
    return pwritev(file, parts, count, offset);
}

int ftruncate(int file, off_t length)
{
    static __typeof__(&ftruncate) real;
    if (real == NULL)
        real = REAL(ftruncate);
    return no_space(file, length, 0) ? -1 : real(file, length);
}

int ftruncate64(int file, off64_t length)
{
    return ftruncate(file, length);
}

int posix_fallocate(int file, off_t offset, off_t length)
{
    static __typeof__(&posix_fallocate) real;
    if (real == NULL)
        real = REAL(posix_fallocate);
    return no_space(file, offset + length, 0) ? ENOSPC : real(file, offset, length);
}

int posix_fallocate64(int file, off64_t offset, off64_t length)
{
    return posix_fallocate(file, offset, length);
}
