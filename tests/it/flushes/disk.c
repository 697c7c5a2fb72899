/* A disk on which flushes wait as long as there is a file `holds` in the folder DISK. Where there is one `fails`, the next one fails, and takes it away. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *place(const char *name, char *path, size_t size) {
    const char *folder = getenv("DISK");
    return folder != NULL && snprintf(path, size, "%s/%s", folder, name) < (int)size ? path : "";
}

int fdatasync(int file) {
    char path[4096];
    while (access(place("holds", path, sizeof path), F_OK) == 0) usleep(1000);
    if (unlink(place("fails", path, sizeof path)) == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, file);
}
