/* rows FILE COUNT: reads rows of a table by their numbers until it has seen so many versions; prints how many it read,
 * and how many of them were torn. It maps the file for reading only. */
#include "typedshm.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { WORDS = 250 };

static int is_whole(const uint64_t *words, uint64_t row) { /* all words follow from the first, and that tells the row */
    int whole = words[0] >> 48 == row;
    for (uint64_t i = 1; i < WORDS; i++)
        whole &= words[i] == words[0] * 1000003 + i;
    return whole;
}

/* The newest version of a row; its number, or 0 if there is none or a writer came by. */
static uint64_t read_row(const tshm_table *table, uint64_t number, uint64_t *words) {
    tshm_row_cursor cursor;
    if (tshm_row_read_begin(table, tshm_row_of(table, number), &cursor) != TSHM_READABLE)
        return 0; /* never written, or, with one version, being written */
    tshm_copy_out(words, cursor.payload, WORDS * sizeof *words);
    return tshm_row_read_retry(&cursor) ? 0 : cursor.number;
}

int main(int given, char **arguments) {
    int fd = given == 3 ? open(arguments[1], O_RDONLY) : -1;
    long wanted = given == 3 ? atol(arguments[2]) : 0, seen = 0, torn = 0;
    struct stat status = {0};
    tshm_header header;
    tshm_table table;
    uint64_t words[WORDS];
    if (fd < 0 || fstat(fd, &status) || status.st_size < (off_t)sizeof header)
        return fprintf(stderr, "takes a table's file and a number\n"), 2;
    void *memory = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
    const char *problem = memory == MAP_FAILED ? "it cannot be mapped" : NULL;
    if (!problem && tshm_load(&((tshm_header *)memory)->state, acquire) != TSHM_READY) /* with its store, last of all */
        problem = "it is not ready";
    if (!problem)
        problem = tshm_check_table(memory, (uint64_t)status.st_size, &header, &table);
    if (problem || table.payload_size != sizeof words)
        return fprintf(stderr, "%s\n", problem ? problem : "rows of another size"), 1;
    uint64_t *versions = calloc((size_t)table.row_count, sizeof *versions); /* of each row, the last one seen */
    for (uint64_t number = 0; versions && seen < wanted; number = (number + 1) % table.row_count) {
        uint64_t version = read_row(&table, number, words);
        if (version == 0 || version == versions[number])
            continue;
        torn += !is_whole(words, number) || version < versions[number];
        versions[number] = version;
        seen++;
    }
    return printf("read %ld torn %ld\n", seen, torn) < 0;
}
