// SPDX-License-Identifier: Apache-2.0

// These stand before the C library's functions of the same names, for all that
// the process has loaded.

#define _GNU_SOURCE
#include "tests/server/wall_clock.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

// How long it takes at most until a wait notices that the clock was set.
static const struct timespec kSlice = {0, 5 * 1000 * 1000};

static atomic_long moved_seconds;

void MoveWallClock(long seconds) { atomic_fetch_add(&moved_seconds, seconds); }

int clock_gettime(clockid_t clock, struct timespec* out) {
  typedef int Function(clockid_t, struct timespec*);
  static Function* _Atomic real;
  if (real == NULL) real = (Function*)dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(clock, out);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
    out->tv_sec += atomic_load(&moved_seconds);
  }
  return result;
}

int gettimeofday(struct timeval* out, void* zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

static int IsOver(const struct timespec* end) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec > end->tv_sec ||
         (now.tv_sec == end->tv_sec && now.tv_nsec >= end->tv_nsec);
}

long syscall(long number, ...) {
  typedef long Function(long, ...);
  static Function* _Atomic real;
  if (real == NULL) real = (Function*)dlsym(RTLD_NEXT, "syscall");
  va_list list;
  va_start(list, number);
  long a[6];
  for (int i = 0; i < 6; ++i) a[i] = va_arg(list, long);
  va_end(list);
  const struct timespec* end = (const struct timespec*)a[3];
  if (number != SYS_futex || !(a[1] & FUTEX_CLOCK_REALTIME) || end == NULL) {
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  const long wait = FUTEX_WAIT | (a[1] & FUTEX_PRIVATE_FLAG);
  while (!IsOver(end)) {
    const long result = real(number, a[0], wait, a[2], &kSlice, NULL, 0);
    if (result == 0 || errno != ETIMEDOUT) return result;
  }
  errno = ETIMEDOUT;
  return -1;
}
