/* Preloaded into a program, it lets one call on one file do its work and then says that it failed with EIO: a disk whose answer got lost. LATE_CALL is
   the call, LATE_FILE its file, LATE_NTH which of these calls it is; LATE_LOG is made when it was met. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int isDue(const char *call, int fd) {
  static int seen;
  const char *wanted = getenv("LATE_CALL");
  const char *file = getenv("LATE_FILE");
  char link[64], path[4096];
  if (wanted == NULL || file == NULL || strcmp(call, wanted) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  if (strcmp(path, file) != 0 || ++seen != atoi(getenv("LATE_NTH"))) return 0;
  close(open(getenv("LATE_LOG"), O_WRONLY | O_CREAT, 0600));
  return 1;
}

static void *real(const char *name) {
  void *symbol = dlsym(RTLD_NEXT, name);
  if (symbol == NULL) abort();
  return symbol;
}

#define LATE(type, name, call, parameters, arguments)              \
  type name parameters {                                           \
    static type(*next) parameters;                                 \
    if (next == NULL) next = (type(*) parameters)real(#name);      \
    type result = next arguments;                                  \
    if (result == (type)-1 || !isDue(call, fd)) return result;     \
    errno = EIO;                                                   \
    return -1;                                                     \
  }

LATE(ssize_t, pwrite64, "pwrite64", (int fd, const void *bytes, size_t length, off64_t at), (fd, bytes, length, at))
LATE(ssize_t, pwrite, "pwrite64", (int fd, const void *bytes, size_t length, off_t at), (fd, bytes, length, at))
LATE(int, ftruncate64, "ftruncate", (int fd, off64_t length), (fd, length))
LATE(int, ftruncate, "ftruncate", (int fd, off_t length), (fd, length))
LATE(int, fsync, "fsync", (int fd), (fd))
LATE(int, fdatasync, "fdatasync", (int fd), (fd))
