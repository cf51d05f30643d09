/* A preloaded library that records what a process does to the files below one folder, in the order in which it happens.
 *
 * POWER_LOSS_FOLDER: the folder, with links resolved. POWER_LOSS_LOG: the file that gets the records (recording.py).
 * A lock on that file is held around each change, so the records of several processes are in the order of the changes.
 * Nothing is really synced: what a sync would have saved follows from the records.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, SYNC, RENAME, LINK, SYMLINK, UNLINK, MKDIR, CHMOD, EXCHANGE, SYNC_ALL };

struct head {
    uint32_t size; /* of the whole record */
    uint8_t kind;
    uint8_t unused[3];
    uint64_t one, other; /* inode numbers */
    int64_t offset;
    uint32_t name_size, new_name_size, data_size, mode;
} __attribute__((packed));

struct place { /* an entry of a folder */
    int folder;
    char name[NAME_MAX + 1];
    uint64_t inode; /* of the folder */
};

static char folder[PATH_MAX], log_path[PATH_MAX];
static size_t folder_length;

__attribute__((constructor)) static void read_environment(void)
{
    const char *given = getenv("POWER_LOSS_FOLDER"), *log = getenv("POWER_LOSS_LOG");
    if (!given || !log)
        return;
    strncpy(folder, given, sizeof folder - 1);
    strncpy(log_path, log, sizeof log_path - 1);
    folder_length = strlen(folder);
}

static int is_below(int fd)
{
    char link[64], path[PATH_MAX];
    if (!folder_length)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    return length >= (ssize_t)folder_length && !memcmp(path, folder, folder_length)
        && (length == (ssize_t)folder_length || path[folder_length] == '/');
}

static int lock_log(void)
{
    int saved = errno;
    int fd = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    while (fd >= 0 && syscall(SYS_flock, fd, LOCK_EX) && errno == EINTR)
        ;
    errno = saved;
    return fd;
}

static void unlock_log(int log)
{
    int saved = errno;
    if (log >= 0)
        syscall(SYS_close, log);
    errno = saved;
}

static void note(int log, int kind, uint64_t one, uint64_t other, int64_t offset, uint32_t mode, const char *name,
    const char *new_name, const void *data, size_t data_size)
{
    int saved = errno;
    struct head head = { .kind = kind, .one = one, .other = other, .offset = offset, .mode = mode };
    head.name_size = name ? strlen(name) : 0;
    head.new_name_size = new_name ? strlen(new_name) : 0;
    head.data_size = data_size;
    head.size = sizeof head + head.name_size + head.new_name_size + head.data_size;
    struct iovec parts[] = { { &head, sizeof head }, { (void *)name, head.name_size },
        { (void *)new_name, head.new_name_size }, { (void *)data, data_size } };
    if (syscall(SYS_writev, log, parts, 4) != (long)head.size)
        abort(); /* a hole in the records would make a test pass that should not */
    errno = saved;
}

static uint64_t inode_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) ? 0 : status.st_ino;
}

/* Open the folder of an entry. Returns 0 if the entry is not below the recorded folder. */
static int find(int dir_fd, const char *path, struct place *place)
{
    int saved = errno;
    char parent[PATH_MAX];
    place->folder = -1;
    if (!folder_length || !path || strlen(path) >= PATH_MAX || !*path)
        return 0;
    strcpy(parent, path);
    for (size_t end = strlen(parent); end > 1 && parent[end - 1] == '/';)
        parent[--end] = 0;
    char *slash = strrchr(parent, '/');
    const char *name = slash ? slash + 1 : parent;
    if (strlen(name) > NAME_MAX)
        return 0;
    strcpy(place->name, name);
    const char *opened = !slash ? "." : slash == parent ? "/" : parent;
    if (slash)
        *slash = 0;
    place->folder = syscall(SYS_openat, dir_fd, opened, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    errno = saved;
    if (place->folder < 0)
        return 0;
    if (!is_below(place->folder)) {
        syscall(SYS_close, place->folder);
        place->folder = -1;
        errno = saved;
        return 0;
    }
    place->inode = inode_of(place->folder);
    return 1;
}

static void leave(struct place *place)
{
    int saved = errno;
    if (place->folder >= 0)
        syscall(SYS_close, place->folder);
    errno = saved;
}

/* ---- opening ---- */

static int opened(int dir_fd, const char *path, int flags, mode_t mode)
{
    struct place place;
    if (!(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE || !find(dir_fd, path, &place))
        return syscall(SYS_openat, dir_fd, path, flags, mode);
    int log = lock_log();
    struct stat before, after;
    int is_new = fstatat(place.folder, place.name, &before, AT_SYMLINK_NOFOLLOW) != 0;
    int fd = syscall(SYS_openat, dir_fd, path, flags, mode);
    if (fd >= 0 && !fstat(fd, &after)) {
        if (is_new && (flags & O_CREAT))
            note(log, CREATE, place.inode, after.st_ino, 0, after.st_mode & 07777, place.name, NULL, NULL, 0);
        else if ((flags & O_TRUNC) && S_ISREG(after.st_mode))
            note(log, TRUNCATE, after.st_ino, 0, 0, 0, NULL, NULL, NULL, 0);
    }
    unlock_log(log);
    leave(&place);
    return fd;
}

static mode_t mode_of(int flags, va_list more)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

#define OPEN(name, given, dir_fd)                                                                                      \
    int name given                                                                                                     \
    {                                                                                                                  \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode_t mode = mode_of(flags, more);                                                                            \
        va_end(more);                                                                                                  \
        return opened(dir_fd, path, flags, mode);                                                                      \
    }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int dir_fd, const char *path, int flags, ...), dir_fd)
OPEN(openat64, (int dir_fd, const char *path, int flags, ...), dir_fd)

int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* ---- content ---- */

static void note_sync_of_flags(int log, int fd)
{
    int flags = syscall(SYS_fcntl, fd, F_GETFL);
    if (flags >= 0 && (flags & (O_SYNC | O_DSYNC)))
        note(log, SYNC, inode_of(fd), 0, 0, 0, NULL, NULL, NULL, 0);
}

static ssize_t written(int fd, const struct iovec *parts, int count, off_t offset)
{
    struct stat status;
    if (!is_below(fd) || fstat(fd, &status) || !S_ISREG(status.st_mode))
        return offset < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, offset, 0);
    int log = lock_log();
    int flags = syscall(SYS_fcntl, fd, F_GETFL);
    off_t at = offset;
    if (offset < 0) {
        fstat(fd, &status);
        at = flags & O_APPEND ? status.st_size : syscall(SYS_lseek, fd, 0, SEEK_CUR);
    }
    ssize_t done = offset < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, offset, 0);
    ssize_t left = done;
    for (int part = 0; part < count && left > 0; part++) {
        size_t size = (size_t)left < parts[part].iov_len ? (size_t)left : parts[part].iov_len;
        note(log, WRITE, status.st_ino, 0, at + (done - left), 0, NULL, NULL, parts[part].iov_base, size);
        left -= size;
    }
    if (done > 0)
        note_sync_of_flags(log, fd);
    unlock_log(log);
    return done;
}

ssize_t write(int fd, const void *data, size_t size)
{
    struct iovec part = { (void *)data, size };
    return written(fd, &part, 1, -1);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    struct iovec part = { (void *)data, size };
    return written(fd, &part, 1, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) { return pwrite(fd, data, size, offset); }
ssize_t writev(int fd, const struct iovec *parts, int count) { return written(fd, parts, count, -1); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return written(fd, parts, count, offset);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
    return written(fd, parts, count, offset);
}

/* Programs use write instead when these are not there. */
ssize_t copy_file_range(int in, off_t *in_at, int out, off_t *out_at, size_t size, unsigned flags)
{
    if (!is_below(out))
        return syscall(SYS_copy_file_range, in, in_at, out, out_at, size, flags);
    errno = EXDEV;
    return -1;
}
ssize_t sendfile(int out, int in, off_t *offset, size_t size)
{
    if (!is_below(out))
        return syscall(SYS_sendfile, out, in, offset, size);
    errno = EINVAL;
    return -1;
}
ssize_t sendfile64(int out, int in, off_t *offset, size_t size) { return sendfile(out, in, offset, size); }

static int sized(int fd, off_t size)
{
    int log = lock_log();
    int failed = syscall(SYS_ftruncate, fd, size);
    if (!failed)
        note(log, TRUNCATE, inode_of(fd), 0, size, 0, NULL, NULL, NULL, 0);
    unlock_log(log);
    return failed;
}
int ftruncate(int fd, off_t size) { return is_below(fd) ? sized(fd, size) : syscall(SYS_ftruncate, fd, size); }
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }
int truncate(const char *path, off_t size)
{
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int failed = ftruncate(fd, size);
    syscall(SYS_close, fd);
    return failed;
}
int truncate64(const char *path, off_t size) { return truncate(path, size); }
int posix_fallocate(int fd, off_t offset, off_t size)
{
    struct stat status;
    if (!is_below(fd))
        return syscall(SYS_fallocate, fd, 0, offset, size) ? errno : 0;
    if (fstat(fd, &status))
        return errno;
    return status.st_size >= offset + size ? 0 : sized(fd, offset + size) ? errno : 0;
}
int posix_fallocate64(int fd, off_t offset, off_t size) { return posix_fallocate(fd, offset, size); }
int fallocate(int fd, int mode, off_t offset, off_t size)
{
    if (!is_below(fd))
        return syscall(SYS_fallocate, fd, mode, offset, size);
    errno = EOPNOTSUPP;
    return -1;
}
int fallocate64(int fd, int mode, off_t offset, off_t size) { return fallocate(fd, mode, offset, size); }

static int synced(int fd)
{
    if (!is_below(fd))
        return 0; /* a folder above the recorded one, or another file: its fate is not looked at */
    int log = lock_log();
    note(log, SYNC, inode_of(fd), 0, 0, 0, NULL, NULL, NULL, 0);
    unlock_log(log);
    return 0;
}
int fsync(int fd) { return synced(fd); }
int fdatasync(int fd) { return synced(fd); }
int sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    (void)fd, (void)offset, (void)size, (void)flags; /* promises nothing about a power cut */
    return 0;
}
int syncfs(int fd)
{
    int log = lock_log();
    (void)fd;
    if (folder_length)
        note(log, SYNC_ALL, 0, 0, 0, 0, NULL, NULL, NULL, 0);
    unlock_log(log);
    return 0;
}

/* ---- names ---- */

static int renamed(int old_fd, const char *old, int new_fd, const char *new, unsigned flags)
{
    struct place from, to;
    int watched = find(old_fd, old, &from), also = find(new_fd, new, &to);
    int log = watched || also ? lock_log() : -1;
    int failed = syscall(SYS_renameat2, old_fd, old, new_fd, new, flags);
    if (!failed && watched && also)
        note(log, flags & RENAME_EXCHANGE ? EXCHANGE : RENAME, from.inode, to.inode, 0, 0, from.name, to.name, NULL, 0);
    else if (!failed && (watched || also))
        abort(); /* a test must keep its temporary files below the recorded folder */
    unlock_log(log);
    leave(&from);
    leave(&to);
    return failed;
}
int rename(const char *old, const char *new) { return renamed(AT_FDCWD, old, AT_FDCWD, new, 0); }
int renameat(int old_fd, const char *old, int new_fd, const char *new) { return renamed(old_fd, old, new_fd, new, 0); }
int renameat2(int old_fd, const char *old, int new_fd, const char *new, unsigned flags)
{
    return renamed(old_fd, old, new_fd, new, flags);
}

static int linked(int old_fd, const char *old, int new_fd, const char *new, int flags)
{
    struct place to;
    struct stat status;
    if (!find(new_fd, new, &to))
        return syscall(SYS_linkat, old_fd, old, new_fd, new, flags);
    int log = lock_log();
    int failed = syscall(SYS_linkat, old_fd, old, new_fd, new, flags);
    if (!failed && !fstatat(to.folder, to.name, &status, AT_SYMLINK_NOFOLLOW))
        note(log, LINK, to.inode, status.st_ino, 0, 0, to.name, NULL, NULL, 0);
    unlock_log(log);
    leave(&to);
    return failed;
}
int link(const char *old, const char *new) { return linked(AT_FDCWD, old, AT_FDCWD, new, 0); }
int linkat(int old_fd, const char *old, int new_fd, const char *new, int flags)
{
    return linked(old_fd, old, new_fd, new, flags);
}

int symlinkat(const char *target, int dir_fd, const char *path)
{
    struct place place;
    if (!find(dir_fd, path, &place))
        return syscall(SYS_symlinkat, target, dir_fd, path);
    int log = lock_log();
    int failed = syscall(SYS_symlinkat, target, dir_fd, path);
    if (!failed)
        note(log, SYMLINK, place.inode, 0, 0, 0, place.name, NULL, target, strlen(target));
    unlock_log(log);
    leave(&place);
    return failed;
}
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }

int unlinkat(int dir_fd, const char *path, int flags)
{
    struct place place;
    if (!find(dir_fd, path, &place))
        return syscall(SYS_unlinkat, dir_fd, path, flags);
    int log = lock_log();
    int failed = syscall(SYS_unlinkat, dir_fd, path, flags);
    if (!failed)
        note(log, UNLINK, place.inode, 0, 0, 0, place.name, NULL, NULL, 0);
    unlock_log(log);
    leave(&place);
    return failed;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path)
{
    int failed = unlink(path);
    return failed && errno == EISDIR ? rmdir(path) : failed;
}

int mkdirat(int dir_fd, const char *path, mode_t mode)
{
    struct place place;
    struct stat status;
    if (!find(dir_fd, path, &place))
        return syscall(SYS_mkdirat, dir_fd, path, mode);
    int log = lock_log();
    int failed = syscall(SYS_mkdirat, dir_fd, path, mode);
    if (!failed && !fstatat(place.folder, place.name, &status, AT_SYMLINK_NOFOLLOW))
        note(log, MKDIR, place.inode, status.st_ino, 0, status.st_mode & 07777, place.name, NULL, NULL, 0);
    unlock_log(log);
    leave(&place);
    return failed;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* ---- rights, which are taken to reach the disk at once ---- */

int fchmod(int fd, mode_t mode)
{
    int failed = syscall(SYS_fchmod, fd, mode);
    if (!failed && is_below(fd)) {
        int log = lock_log();
        note(log, CHMOD, inode_of(fd), 0, 0, mode, NULL, NULL, NULL, 0);
        unlock_log(log);
    }
    return failed;
}
int fchmodat(int dir_fd, const char *path, mode_t mode, int flags)
{
    (void)flags;
    int fd = syscall(SYS_openat, dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0)
        return syscall(SYS_fchmodat, dir_fd, path, mode);
    int failed = fchmod(fd, mode);
    syscall(SYS_close, fd);
    return failed;
}
int chmod(const char *path, mode_t mode) { return fchmodat(AT_FDCWD, path, mode, 0); }
