/* Loaded before libc in the process of a run: a disk that loses power or is full, and a clock that is set back.

   POWER_ROOT, POWER_KEPT  Every file and folder below the first that is synced is copied to the second, as it was then:
                           a file by its content, a folder by its names. What a power cut leaves is made of that.
   DISK_COUNT              How many bytes were written below POWER_ROOT is written there at the end.
   DISK_BYTES              So many bytes below POWER_ROOT are written; after that the disk is full.
   CLOCK_BACK_S            The clock is back by so many seconds,
   CLOCK_AFTER_SYNCS       from so many syncs on. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

static atomic_long syncs, written;

static long number_of(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

/* Who a file is: a number is given to another one once it is deleted, its birth is not. */
static int name_of(int folder, const char *path, char *name) {
    struct statx found;
    if (statx(folder, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &found)) return -1;
    sprintf(name, "%llu-%lld.%u", (unsigned long long)found.stx_ino, (long long)found.stx_btime.tv_sec,
            found.stx_btime.tv_nsec);
    return S_ISDIR(found.stx_mode) ? 1 : S_ISREG(found.stx_mode) ? 0 : -1;
}

static void keep_names(int number, FILE *into) {
    DIR *folder = fdopendir(openat(number, ".", O_RDONLY | O_DIRECTORY));
    struct dirent *entry;
    char name[96];
    while (folder && (entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            int is_folder = name_of(number, entry->d_name, name);
            if (is_folder >= 0) fprintf(into, "%s %d %s\n", name, is_folder, entry->d_name);
        }
    if (folder) closedir(folder);
}

static void keep_content(int number, FILE *into) {
    char block[65536], path[64];
    sprintf(path, "/proc/self/fd/%d", number);
    int file = open(path, O_RDONLY);
    ssize_t got;
    while (file >= 0 && (got = read(file, block, sizeof block)) > 0) fwrite(block, 1, got, into);
    if (file >= 0) close(file);
}

static int below_root(int number) {
    const char *root = getenv("POWER_ROOT");
    char link[64], path[PATH_MAX];
    if (!root) return 0;
    sprintf(link, "/proc/self/fd/%d", number);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return !strncmp(path, root, strlen(root));
}

/* Copy a file or folder to POWER_KEPT, whole or not at all. */
static void keep(int number) {
    const char *kept = getenv("POWER_KEPT");
    char name[96], part[PATH_MAX], whole[PATH_MAX];
    if (!kept || !below_root(number)) return;
    int is_folder = name_of(number, "", name);
    if (is_folder < 0) return;
    snprintf(part, sizeof part, "%s/part-%ld", kept, (long)syscall(SYS_gettid));
    snprintf(whole, sizeof whole, "%s/%s", kept, name);
    FILE *into = fopen(part, "w");
    if (!into) abort();
    if (is_folder) keep_names(number, into);
    else keep_content(number, into);
    fclose(into);
    rename(part, whole);
}

/* For the test: keep what lies at a path, and write who it is. */
int keep_path(const char *path) {
    int number = open(path, O_RDONLY);
    if (number < 0) return -1;
    keep(number);
    return close(number);
}

int identify(const char *path, char *name) { return name_of(AT_FDCWD, path, name); }

int fsync(int number) {
    int result = REAL(fsync)(number);
    if (!result) keep(number);
    syncs++;
    return result;
}

int fdatasync(int number) {
    int result = REAL(fdatasync)(number);
    if (!result) keep(number);
    syncs++;
    return result;
}

static int is_full(int number, size_t bytes) {
    long most = number_of("DISK_BYTES");
    if ((!most && !getenv("DISK_COUNT")) || !below_root(number)) return 0;
    if ((written += bytes) <= most || !most) return 0;
    errno = ENOSPC;
    return 1;
}

__attribute__((destructor)) static void tell(void) {
    FILE *into = getenv("DISK_COUNT") ? fopen(getenv("DISK_COUNT"), "w") : NULL;
    if (into) fprintf(into, "%ld", (long)written), fclose(into);
}

ssize_t write(int number, const void *bytes, size_t many) {
    return is_full(number, many) ? -1 : REAL(write)(number, bytes, many);
}

ssize_t pwrite(int number, const void *bytes, size_t many, off_t at) {
    return is_full(number, many) ? -1 : REAL(pwrite)(number, bytes, many, at);
}

ssize_t pwrite64(int number, const void *bytes, size_t many, off64_t at) {
    return is_full(number, many) ? -1 : REAL(pwrite64)(number, bytes, many, at);
}

static long back_s(void) { return syncs >= number_of("CLOCK_AFTER_SYNCS") ? number_of("CLOCK_BACK_S") : 0; }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = REAL(clock_gettime)(clock, now);
    if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec -= back_s();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int result = REAL(gettimeofday)(now, zone);
    if (!result) now->tv_sec -= back_s();
    return result;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}
