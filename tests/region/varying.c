/* varying FILE COUNT: reads values of varying size until it has seen so many; prints how many of them were torn.
 * varying FILE FIRST LAST: writes those with these numbers, from which all that is in them follows. It has the lock. */
#include "typedshm.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

typedef struct {
    uint64_t number;
    uint32_t words_used;
    uint64_t words[300];
    uint32_t frame_used[2]; /* rows and columns */
    uint16_t frame[20 * 30 * 3], after;
} value;

static const uint32_t words_most[] = {300}, frame_most[] = {20, 30};
static const tshm_extent extents[] = {
    {offsetof(value, words_used), offsetof(value, words), sizeof(uint64_t), words_most, 1, 0},
    {offsetof(value, frame_used), offsetof(value, frame), 3 * sizeof(uint16_t), frame_most, 2, 0}};
static const tshm_plan plan = {sizeof(value), 2, extents};

static const value *fill(value *v, uint64_t number) {
    v->number = number, v->after = (uint16_t)number, v->words_used = (uint32_t)(number % 301);
    v->frame_used[0] = (uint32_t)(number % 21), v->frame_used[1] = (uint32_t)(number % 31);
    for (uint32_t i = 0; i < v->words_used; i++)
        v->words[i] = number * 1000003 + i;
    for (uint32_t i = 0; i < v->frame_used[0] * v->frame_used[1] * 3; i++)
        v->frame[i] = (uint16_t)(number + i);
    return v;
}

int main(int given, char **arguments) {
    int writes = given > 3, fd = open(arguments[1], writes ? O_RDWR : O_RDONLY);
    long n = atol(arguments[2]), torn = 0, seen = 0;
    struct stat status = {0};
    tshm_header header;
    tshm_ring ring;
    tshm_cursor cursor;
    fstat(fd, &status);
    void *memory = mmap(NULL, (size_t)status.st_size, writes ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED || tshm_check(memory, (uint64_t)status.st_size, &header, &ring))
        return 1;
    for (value v = {0}; writes && n <= atol(arguments[3]); n++) {
        if (tshm_write_begin(&ring, NULL, NULL, &cursor) != TSHM_WRITABLE)
            break;
        tshm_copy_used_in(cursor.payload, fill(&v, (uint64_t)n), &plan);
        tshm_write_end(&ring, &cursor, header.created);
    }
    for (uint64_t before = 0; !writes && seen < n;) {
        value found = {0}, whole = {0}; /* what is not used is zero, and stays it */
        if (tshm_read_begin(&ring, &cursor) == TSHM_READABLE) {
            tshm_copy_used_out(&found, cursor.payload, &plan);
            if (!tshm_read_retry(&cursor) && found.number != before) {
                torn += memcmp(&found, fill(&whole, before = found.number), sizeof found) != 0;
                seen++;
            }
        }
    }
    return printf("%ld torn\n", torn) < 0 || ring.payload_size != sizeof(value);
}
