/* A child that is led by single steps, as ptrace() does it. */
#ifndef STEPS_H
#define STEPS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS_MAX = 20000, CANNOT = 77 }; /* CANNOT: what a program ends with where single steps are not possible */

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* A file of zeros that parent and children share, mapped. */
static void *make_memory(const char *path, size_t size) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        fail(path);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    close(fd);
    return memory;
}

/* In the child: from here on. */
static void be_led(void) {
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
        _exit(CANNOT);
    raise(SIGSTOP);
}

/* In the child: up to here. */
static void be_done(void) {
    raise(SIGUSR1);
    _exit(0);
}

/* Lead the child for so many steps. True if it had done by then. */
static bool lead(pid_t pid, long steps) {
    int status;
    bool done = false;
    if (waitpid(pid, &status, 0) < 0)
        fail("waitpid");
    if (WIFEXITED(status))
        exit(WEXITSTATUS(status));
    for (long step = 0; step < steps && !done; step++) {
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) < 0) {
            kill(pid, SIGKILL);
            exit(CANNOT);
        }
        if (waitpid(pid, &status, 0) < 0)
            fail("waitpid");
        if (WIFEXITED(status)) {
            fprintf(stderr, "the child failed in what it did\n");
            exit(1);
        }
        done = WSTOPSIG(status) == SIGUSR1;
    }
    return done;
}

static void end_child(pid_t pid) {
    int status;
    kill(pid, SIGKILL);
    if (waitpid(pid, &status, 0) < 0)
        fail("waitpid");
}

#endif
