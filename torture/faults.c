/* Counts what a process writes under some folders, and makes the N-th of these operations fail, or the last one.

   Loaded by LD_PRELOAD into the first process that has these variables; its children are left alone. Linux with glibc.

   FAULTS_UNDER   folders, real paths, with colons between
   FAULTS_LOG     file, outside of them, that gets one line an operation: number, kind, path; "!" where it was a fault
   FAULTS_MODE    log: nothing fails. kill: the process dies (SIGKILL) before operation N. after: it dies after N. half:
                  it dies after half of the bytes of N, or after N where that writes none. fail: N fails. from: N and
                  all later ones fail; a full disk (ENOSPC, EDQUOT) takes half of the first write, and removes files.
   FAULTS_AT      N, from 1
   FAULTS_ERRNO   the number of the error

   It sees what goes through the dynamic symbols of libc, whoever calls them: Python, Rust, C++; and on x86-64 the bare
   system call renameat, by which Rust's tempfile gives the files of safetensors their names. It does not see bytes that
   reach a file through shared memory (mmap) or through stdio where libc itself flushes its buffers, other bare system
   calls, nor functions that are looked up in libc.so.6 by handle. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode { OFF, LOG, KILL, AFTER, HALF, FAIL, FROM };
enum act { GO, REFUSE, CUT, LAST }; /* CUT: half of it. LAST: it, and then the end */

static enum mode mode = OFF;
static long at = 0, count = 0;
static int error_number = EIO, log_file = -1;
static pid_t owner = 0;
static char folders[8][PATH_MAX];
static int n_folders = 0;

#define REAL(name, type, ...) \
    static type (*real)(__VA_ARGS__) = NULL; \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static ssize_t plain_write(int file, const void *bytes, size_t n) {
    REAL("write", ssize_t, int, const void *, size_t);
    return real(file, bytes, n);
}

static void trap_bare_calls(void);

__attribute__((constructor)) static void begin(void) {
    const char *under = getenv("FAULTS_UNDER"), *wanted = getenv("FAULTS_MODE");
    const char *number = getenv("FAULTS_AT"), *error = getenv("FAULTS_ERRNO"), *file = getenv("FAULTS_LOG");
    const char *names[] = {"log", "kill", "after", "half", "fail", "from"}; /* in the order of the modes */
    char number_of_mine[32];
    if (!under || !wanted) return;
    trap_bare_calls();
    if (getenv("FAULTS_OWNER")) return; /* a child */
    owner = getpid();
    snprintf(number_of_mine, sizeof number_of_mine, "%d", (int)owner);
    setenv("FAULTS_OWNER", number_of_mine, 1);
    for (const char *from = under; *from && n_folders < 8;) {
        const char *to = strchrnul(from, ':');
        snprintf(folders[n_folders++], PATH_MAX, "%.*s", (int)(to - from), from);
        from = *to ? to + 1 : to;
    }
    if (number) at = atol(number);
    if (error) error_number = atoi(error);
    if (file) {
        REAL("open", int, const char *, int, ...);
        int low = real(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        log_file = fcntl(low, F_DUPFD_CLOEXEC, 900);
        close(low);
    }
    mode = LOG;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!strcmp(wanted, names[i])) mode = LOG + i;
    }
}

static void die(void) {
    for (;;) kill(getpid(), SIGKILL);
}

/* The part of the path below a watched folder; NULL outside of them. */
static const char *watched(const char *path) {
    for (int i = 0; i < n_folders; i++) {
        size_t n = strlen(folders[i]);
        if (!strncmp(path, folders[i], n) && (path[n] == '/' || !path[n])) return path[n] ? path + n + 1 : path + n;
    }
    return NULL;
}

static int of_descriptor(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n < 0) return 0;
    path[n] = 0;
    if (n > 10 && !strcmp(path + n - 10, " (deleted)")) path[n - 10] = 0;
    return path[0] == '/';
}

/* The real path of what is named: its parent folder's links are followed, its own are not. */
static int of_name(int folder, const char *name, char *path) {
    char whole[2 * PATH_MAX], parent[PATH_MAX];
    if (!name) return 0;
    if (name[0] == '/') {
        snprintf(whole, sizeof whole, "%s", name);
    } else {
        if (folder == AT_FDCWD ? !getcwd(parent, sizeof parent) : !of_descriptor(folder, parent)) return 0;
        snprintf(whole, sizeof whole, "%s/%s", parent, name);
    }
    size_t n = strlen(whole);
    while (n > 1 && whole[n - 1] == '/') whole[--n] = 0;
    char *last = strrchr(whole, '/');
    if (!last) return 0;
    *last = 0;
    if (!realpath(last == whole ? "/" : whole, parent)) return 0;
    return snprintf(path, PATH_MAX, "%s/%s", strcmp(parent, "/") ? parent : "", last + 1) < PATH_MAX;
}

static int full(void) {
    return error_number == ENOSPC || error_number == EDQUOT;
}

static int frees(const char *kind) {
    return !strcmp(kind, "unlink") || !strcmp(kind, "rmdir") || !strcmp(kind, "utime") || !strcmp(kind, "chmod");
}

/* Counts an operation on a path, and says what is to become of it. `bytes`: that it writes; 0: none. */
static enum act judge(const char *kind, const char *path, const char *other, size_t bytes) {
    if (mode == OFF) return GO;
    const char *below = watched(path), *second = other ? watched(other) : NULL;
    if ((!below && !second) || getpid() != owner) return GO;
    long n = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    int hit = mode == FROM ? n >= at && !(full() && frees(kind)) : mode != LOG && n == at;
    if (log_file >= 0) {
        char line[2 * PATH_MAX + 128];
        const char *from = below ? below : path, *to = second ? second : other;
        int length = to
            ? snprintf(line, sizeof line, "%ld\t%s%s\t%s -> %s\n", n, kind, hit ? "!" : "", from, to)
            : snprintf(line, sizeof line, "%ld\t%s%s\t%s\n", n, kind, hit ? "!" : "", from);
        plain_write(log_file, line, length);
    }
    if (!hit) return GO;
    if (mode == KILL) die();
    if (mode == AFTER || (mode == HALF && bytes < 2)) return LAST;
    if (mode == HALF) return CUT;
    if (mode == FROM && n == at && full() && bytes > 1) return CUT;
    return REFUSE;
}

static enum act on_name(const char *kind, int folder, const char *name) {
    char path[PATH_MAX];
    int before = errno;
    enum act act = mode != OFF && of_name(folder, name, path) ? judge(kind, path, NULL, 0) : GO;
    errno = act == REFUSE ? error_number : before;
    return act;
}

static enum act on_names(const char *kind, int folder, const char *name, int other_folder, const char *other) {
    char path[PATH_MAX], second[PATH_MAX];
    int before = errno;
    enum act act = GO;
    if (mode != OFF && of_name(folder, name, path) && of_name(other_folder, other, second)) {
        act = judge(kind, path, second, 0);
    }
    errno = act == REFUSE ? error_number : before;
    return act;
}

static enum act on_file(const char *kind, int file, size_t bytes) {
    char path[PATH_MAX];
    int before = errno;
    enum act act = mode != OFF && of_descriptor(file, path) ? judge(kind, path, NULL, bytes) : GO;
    errno = act == REFUSE ? error_number : before;
    return act;
}

/* An operation without bytes: refused, done, or done as the last thing. */
#define DONE(type, judged, call) \
    enum act act_ = (judged); \
    if (act_ == REFUSE) return -1; \
    type result = (call); \
    if (act_ == LAST) die(); \
    return result

/* One that writes `n` bytes; `n` is halved where half of them are to be written. */
#define WRITTEN(n, judged, call) \
    enum act act_ = (judged); \
    if (act_ == REFUSE) return -1; \
    if (act_ == CUT) n /= 2; \
    ssize_t result = (call); \
    if (act_ == LAST || (act_ == CUT && mode == HALF)) die(); \
    return result

ssize_t write(int file, const void *bytes, size_t n) {
    WRITTEN(n, on_file("write", file, n), plain_write(file, bytes, n));
}

#define PWRITE(name, offset_type) \
    ssize_t name(int file, const void *bytes, size_t n, offset_type offset) { \
        REAL(#name, ssize_t, int, const void *, size_t, offset_type); \
        WRITTEN(n, on_file("write", file, n), real(file, bytes, n, offset)); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

static size_t sum_of(const struct iovec *parts, int n) {
    size_t sum = 0;
    for (int i = 0; i < n; i++) sum += parts[i].iov_len;
    return sum;
}

/* Half of several parts: half of the first one that has bytes. */
static ssize_t half_of(int file, const struct iovec *parts, int n) {
    for (int i = 0; i < n; i++) {
        if (parts[i].iov_len) return plain_write(file, parts[i].iov_base, (parts[i].iov_len + 1) / 2);
    }
    return 0;
}

ssize_t writev(int file, const struct iovec *parts, int n) {
    REAL("writev", ssize_t, int, const struct iovec *, int);
    enum act act = on_file("write", file, sum_of(parts, n));
    if (act == REFUSE) return -1;
    ssize_t result = act == CUT ? half_of(file, parts, n) : real(file, parts, n);
    if (act == LAST || (act == CUT && mode == HALF)) die();
    return result;
}

#define PWRITEV(name, offset_type) \
    ssize_t name(int file, const struct iovec *parts, int n, offset_type offset) { \
        REAL(#name, ssize_t, int, const struct iovec *, int, offset_type); \
        enum act act = on_file("write", file, sum_of(parts, n)); \
        if (act == REFUSE) return -1; \
        ssize_t result = act == CUT && mode == HALF ? 0 : real(file, parts, n, offset); \
        if (act == LAST || (act == CUT && mode == HALF)) die(); \
        return result; \
    }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

#define SENDFILE(name, offset_type) \
    ssize_t name(int to, int from, offset_type *offset, size_t n) { \
        REAL(#name, ssize_t, int, int, offset_type *, size_t); \
        struct stat told; \
        if (mode != OFF && !fstat(from, &told) && told.st_size > 0 && n > (size_t)told.st_size) n = told.st_size; \
        WRITTEN(n, on_file("copy", to, n), real(to, from, offset, n)); \
    }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

ssize_t copy_file_range(int from, off64_t *start, int to, off64_t *offset, size_t n, unsigned flags) {
    REAL("copy_file_range", ssize_t, int, off64_t *, int, off64_t *, size_t, unsigned);
    struct stat told;
    if (mode != OFF && !fstat(from, &told) && told.st_size > 0 && n > (size_t)told.st_size) n = told.st_size;
    WRITTEN(n, on_file("copy", to, n), real(from, start, to, offset, n, flags));
}

ssize_t splice(int from, off64_t *start, int to, off64_t *offset, size_t n, unsigned flags) {
    REAL("splice", ssize_t, int, off64_t *, int, off64_t *, size_t, unsigned);
    WRITTEN(n, on_file("copy", to, n), real(from, start, to, offset, n, flags));
}

#define ON_DESCRIPTOR(name, kind) \
    int name(int file) { \
        REAL(#name, int, int); \
        DONE(int, on_file(kind, file, 0), real(file)); \
    }
ON_DESCRIPTOR(fsync, "fsync")
ON_DESCRIPTOR(fdatasync, "fsync")

#define FTRUNCATE(name, length_type) \
    int name(int file, length_type n) { \
        REAL(#name, int, int, length_type); \
        DONE(int, on_file("truncate", file, 0), real(file, n)); \
    }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

#define TRUNCATE(name, length_type) \
    int name(const char *path, length_type n) { \
        REAL(#name, int, const char *, length_type); \
        DONE(int, on_name("truncate", AT_FDCWD, path), real(path, n)); \
    }
TRUNCATE(truncate, off_t)
TRUNCATE(truncate64, off64_t)

#define FALLOCATE(name, length_type) \
    int name(int file, int how, length_type offset, length_type n) { \
        REAL(#name, int, int, int, length_type, length_type); \
        DONE(int, on_file("allocate", file, 0), real(file, how, offset, n)); \
    }
FALLOCATE(fallocate, off_t)
FALLOCATE(fallocate64, off64_t)

#define POSIX_FALLOCATE(name, length_type) \
    int name(int file, length_type offset, length_type n) { \
        REAL(#name, int, int, length_type, length_type); \
        enum act act = on_file("allocate", file, 0); \
        if (act == REFUSE) return error_number; \
        int result = real(file, offset, n); \
        if (act == LAST) die(); \
        return result; \
    }
POSIX_FALLOCATE(posix_fallocate, off_t)
POSIX_FALLOCATE(posix_fallocate64, off64_t)

int mkdir(const char *path, mode_t rights) {
    REAL("mkdir", int, const char *, mode_t);
    DONE(int, on_name("mkdir", AT_FDCWD, path), real(path, rights));
}

int mkdirat(int folder, const char *path, mode_t rights) {
    REAL("mkdirat", int, int, const char *, mode_t);
    DONE(int, on_name("mkdir", folder, path), real(folder, path, rights));
}

#define ON_PATH(name, kind) \
    int name(const char *path) { \
        REAL(#name, int, const char *); \
        DONE(int, on_name(kind, AT_FDCWD, path), real(path)); \
    }
ON_PATH(unlink, "unlink")
ON_PATH(rmdir, "rmdir")
ON_PATH(remove, "unlink")

int unlinkat(int folder, const char *path, int flags) {
    REAL("unlinkat", int, int, const char *, int);
    DONE(int, on_name(flags & AT_REMOVEDIR ? "rmdir" : "unlink", folder, path), real(folder, path, flags));
}

#define BETWEEN_PATHS(name, kind) \
    int name(const char *from, const char *to) { \
        REAL(#name, int, const char *, const char *); \
        DONE(int, on_names(kind, AT_FDCWD, from, AT_FDCWD, to), real(from, to)); \
    }
BETWEEN_PATHS(rename, "rename")
BETWEEN_PATHS(link, "link")

/* The bare call: libc's renameat2 makes a renameat of it, which is trapped. */
static int as_told(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    REAL("syscall", long, long, ...);
    return real(SYS_renameat2, from_folder, from, to_folder, to, flags);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    DONE(int, on_names("rename", from_folder, from, to_folder, to), as_told(from_folder, from, to_folder, to, 0));
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    DONE(int, on_names("rename", from_folder, from, to_folder, to), as_told(from_folder, from, to_folder, to, flags));
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    REAL("linkat", int, int, const char *, int, const char *, int);
    DONE(int, on_names("link", from_folder, from, to_folder, to), real(from_folder, from, to_folder, to, flags));
}

int symlink(const char *to, const char *path) {
    REAL("symlink", int, const char *, const char *);
    DONE(int, on_name("link", AT_FDCWD, path), real(to, path));
}

int symlinkat(const char *to, int folder, const char *path) {
    REAL("symlinkat", int, const char *, int, const char *);
    DONE(int, on_name("link", folder, path), real(to, folder, path));
}

int utimensat(int folder, const char *path, const struct timespec times[2], int flags) {
    REAL("utimensat", int, int, const char *, const struct timespec *, int);
    DONE(int, on_name("utime", folder, path), real(folder, path, times, flags));
}

int futimens(int file, const struct timespec times[2]) {
    REAL("futimens", int, int, const struct timespec *);
    DONE(int, on_file("utime", file, 0), real(file, times));
}

int chmod(const char *path, mode_t rights) {
    REAL("chmod", int, const char *, mode_t);
    DONE(int, on_name("chmod", AT_FDCWD, path), real(path, rights));
}

int fchmod(int file, mode_t rights) {
    REAL("fchmod", int, int, mode_t);
    DONE(int, on_file("chmod", file, 0), real(file, rights));
}

int fchmodat(int folder, const char *path, mode_t rights, int flags) {
    REAL("fchmodat", int, int, const char *, mode_t, int);
    DONE(int, on_name("chmod", folder, path), real(folder, path, rights, flags));
}

/* Opening counts where it may make a file or empty one. */
static enum act on_open(int folder, const char *path, int flags) {
    int writes = flags & (O_CREAT | O_TRUNC) || (flags & O_TMPFILE) == O_TMPFILE;
    return writes ? on_name("open", folder, path) : GO;
}

#define RIGHTS(flags) \
    mode_t rights = 0; \
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) { \
        va_list rest; \
        va_start(rest, flags); \
        rights = va_arg(rest, mode_t); \
        va_end(rest); \
    }

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(#name, int, const char *, int, ...); \
        RIGHTS(flags) \
        DONE(int, on_open(AT_FDCWD, path, flags), real(path, flags, rights)); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        REAL(#name, int, int, const char *, int, ...); \
        RIGHTS(flags) \
        DONE(int, on_open(folder, path, flags), real(folder, path, flags, rights)); \
    }
OPENAT(openat)
OPENAT(openat64)

#define FORTIFIED(name) \
    int name(const char *path, int flags) { \
        REAL(#name, int, const char *, int); \
        DONE(int, on_open(AT_FDCWD, path, flags), real(path, flags)); \
    }
FORTIFIED(__open_2)
FORTIFIED(__open64_2)

#define FORTIFIED_AT(name) \
    int name(int folder, const char *path, int flags) { \
        REAL(#name, int, int, const char *, int); \
        DONE(int, on_open(folder, path, flags), real(folder, path, flags)); \
    }
FORTIFIED_AT(__openat_2)
FORTIFIED_AT(__openat64_2)

#define CREAT(name) \
    int name(const char *path, mode_t rights) { \
        REAL(#name, int, const char *, mode_t); \
        DONE(int, on_name("open", AT_FDCWD, path), real(path, rights)); \
    }
CREAT(creat)
CREAT(creat64)

#define FOPEN(name) \
    FILE *name(const char *path, const char *how) { \
        REAL(#name, FILE *, const char *, const char *); \
        enum act act = how && (how[0] == 'w' || how[0] == 'a') ? on_name("open", AT_FDCWD, path) : GO; \
        if (act == REFUSE) return NULL; \
        FILE *result = real(path, how); \
        if (act == LAST) die(); \
        return result; \
    }
FOPEN(fopen)
FOPEN(fopen64)

/* Bare calls that have no wrapper in older libraries. */
long syscall(long number, ...) {
    REAL("syscall", long, long, ...);
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
    va_end(rest);
    enum act act = GO;
#ifdef SYS_renameat2
    if (number == SYS_renameat2) act = on_names("rename", a[0], (const char *)a[1], a[2], (const char *)a[3]);
#endif
#ifdef SYS_copy_file_range
    if (number == SYS_copy_file_range) act = on_file("copy", a[2], 0);
#endif
    DONE(long, act, real(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

#ifdef __x86_64__
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <ucontext.h>

static void on_bare_call(int signal, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)signal, (void)info;
    int before = errno;
    int result = renameat(registers[REG_RDI], (const char *)registers[REG_RSI], registers[REG_RDX],
                          (const char *)registers[REG_R10]);
    registers[REG_RAX] = result < 0 ? -errno : result;
    errno = before;
}

/* The filter is inherited by children, who only get the handler. */
static void trap_bare_calls(void) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    struct sock_fprog program = {sizeof steps / sizeof steps[0], steps};
    struct sigaction action = {.sa_sigaction = on_bare_call, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (sigaction(SIGSYS, &action, NULL) || getenv("FAULTS_OWNER")) return;
    if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#else
static void trap_bare_calls(void) {}
#endif
