/* Kills a process at every instruction boundary of what it does to a row of a table, or has a follower look at each.
 *
 *     single_step_rows FILE write|append|lapped|step|sleep SLOTS kill|pause
 *
 * As single_step.c does it. "kill": after each death the parent's follower looks, and what the dead had published has
 * to be reported; then the parent reads, takes the row without waiting, and writes its next version, which has to be
 * reported as well; another row stays as it was. "pause": the follower looks in between, then the child goes on to its
 * end, and the follower looks again: what was written has to be reported in one of the two. The follower is one by the
 * rules in typedshm.h, retyped here. Prints one line of counts; those in capitals have to be 0. */
#define _GNU_SOURCE
#include "lock/lock.h"
#include "steps.h"

#include <fcntl.h>

enum { WORDS = 8, ROWS = 70 /* two stamps */, ROW = 5, OTHER = 6, PRESENCE = 8 };

static const char *path;
static tshm_table table;
static lock_handle lock;
static uint64_t now; /* read beforehand: it takes now more instructions, now fewer */

static tshm_table_control *control(void) {
    return tshm_table_control_of(&table);
}

static void make_table(uint32_t slots) {
    table.slot_count = slots;
    table.presence_count = PRESENCE;
    table.payload_size = 8 * WORDS;
    table.row_count = ROWS;
    table.row_stride = (tshm_row_head(slots) + slots * 8 * WORDS + 63) / 64 * 64;
    table.stamps_offset = sizeof(tshm_table_control);
    table.rows_offset = table.stamps_offset + TSHM_LINE;
    size_t size = (size_t)(table.rows_offset + ROWS * table.row_stride);
    table.base = make_memory(path, size);
    tshm_store(&control()->epoch, 1, relaxed);
}

static void join(lock_handle *mine) {
    mine->control = &control()->control;
    mine->presence_count = PRESENCE;
    if ((mine->peers.fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
        fail("open");
    if (lock_attach(mine) != LOCK_TAKEN)
        fail("lock_attach");
}

/* ---- rows: every word follows from row and version ---- */

static void fill(uint64_t *words, uint64_t row, uint64_t version) {
    for (uint64_t i = 0; i < WORDS; i++)
        words[i] = version * 1000003 + row * 257 + i;
}

/* The newest version of a row; 0 if it cannot be read. */
static uint64_t read_row(uint64_t row, long *torn) {
    tshm_row_cursor cursor;
    uint64_t words[WORDS], expected[WORDS];
    if (tshm_row_read_begin(&table, tshm_row_of(&table, row), &cursor) != TSHM_READABLE)
        return 0;
    tshm_copy_out(words, cursor.payload, sizeof words);
    fill(expected, row, cursor.number);
    *torn += tshm_row_read_retry(&cursor) || memcmp(words, expected, sizeof words) != 0;
    return cursor.number;
}

/* ---- what is done, as the package does it ---- */

static void store(uint64_t row, uint64_t ticket) {
    uint64_t words[WORDS];
    tshm_row_stamp(&table, row);
    tshm_row_cursor cursor = tshm_row_write_begin(&table, tshm_row_of(&table, row));
    fill(words, row, cursor.number);
    if (ticket)
        tshm_store(&cursor.row->ticket, ticket, relaxed);
    tshm_copy_in(cursor.payload, words, sizeof words);
    tshm_row_write_end(&cursor, now);
}

/* How it was taken. */
static int write_row(lock_handle *mine, uint64_t row, uint64_t ticket) {
    lock_word word = {.word = &tshm_row_of(&table, row)->owner};
    int taken = lock_try(mine, &word);
    if (taken < 0)
        return taken;
    if (ticket == 0 || tshm_load(&tshm_row_of(&table, row)->ticket, relaxed) <= ticket)
        store(row, ticket);
    if (lock_release(mine, &word, true) != LOCK_TAKEN)
        return LOCK_LOST;
    if (tshm_news(&table))
        os_word_wake_all(&mine->peers, &control()->control, (void *)&control()->control.head.word);
    return taken;
}

static int append(lock_handle *mine) {
    uint64_t ticket = tshm_change(add, &control()->tickets, 1, relaxed) + 1;
    return write_row(mine, (ticket - 1) % ROWS, ticket);
}

/* ---- followers ---- */

typedef struct {
    uint64_t since, unsure[ROWS], reported[ROWS]; /* unsure: its version + 1; reported: that which a report led to */
    bool told[ROWS];                              /* by the last step */
} follower;

static void look(follower *mine, uint64_t first, uint64_t last) {
    uint64_t epoch = tshm_epoch_step(&table), version[ROWS];
    memset(mine->told, 0, sizeof mine->told);
    for (uint64_t row = first; row <= last; row++) {
        bool stamped = tshm_load(tshm_stamp_of(&table, row), seq_cst) >= mine->since;
        if (!stamped && !mine->unsure[row])
            continue;
        tshm_row *place = tshm_row_of(&table, row);
        bool held = (tshm_load(&place->owner, seq_cst) & TSHM_WORD_OWNER) != 0;
        version[row] = tshm_row_number(&table, place);
        mine->told[row] = tshm_load(&place->stamp, relaxed) >= mine->since ||
                          (mine->unsure[row] && mine->unsure[row] != version[row] + 1);
        mine->unsure[row] = held ? (mine->unsure[row] ? mine->unsure[row] : version[row] + 1) : 0;
    }
    mine->since = epoch + 1;
    for (uint64_t row = first; row <= last; row++)
        if (mine->told[row])
            mine->reported[row] = tshm_row_number(&table, tshm_row_of(&table, row));
}

static void sleep_on_news(lock_handle *mine) {
    uint32_t number = (uint32_t)(tshm_load(&control()->control.head.word, acquire) & ~TSHM_HEAD_AWAITED);
    if (tshm_announce_news_sleep(&table, number))
        os_word_wait(&mine->peers, &control()->control, (void *)&control()->control.head.word,
                     number | (uint32_t)TSHM_HEAD_AWAITED, 1000);
}

/* ---- the child ---- */

static void child(const char *deed) {
    lock_handle mine = {0};
    static follower other;
    close(lock.peers.fd); /* through the parent's description we would be the parent */
    join(&mine);
    be_led();
    if (strcmp(deed, "write") == 0 && write_row(&mine, ROW, 0) < 0)
        _exit(1);
    if ((strcmp(deed, "append") == 0 || strcmp(deed, "lapped") == 0) && append(&mine) < 0)
        _exit(1);
    if (strcmp(deed, "step") == 0)
        look(&other, ROW, OTHER); /* of all rows there would be too many steps */
    if (strcmp(deed, "sleep") == 0)
        sleep_on_news(&mine);
    be_done();
}

/* ---- the parent ---- */

static struct {
    long held, half, published, lost, torn, skipped, stuck, unreported, uncounted, touched, overtaken;
} count;

static bool hopeless(void) {
    return count.torn + count.skipped + count.stuck + count.unreported + count.uncounted + count.touched +
               count.overtaken >
           5;
}

/* The row that the deed is about; for those that append, the one that the next ticket names. */
static uint64_t target_of(const char *deed) {
    bool appends = strcmp(deed, "append") == 0 || strcmp(deed, "lapped") == 0;
    return appends ? tshm_load(&control()->tickets, relaxed) % ROWS : ROW;
}

static void expect_report(const follower *follower, uint64_t row) {
    count.unreported += follower->reported[row] != tshm_row_number(&table, tshm_row_of(&table, row));
}

static void go_on(follower *follower, uint64_t target, uint64_t before, bool lapped) {
    tshm_row *row = tshm_row_of(&table, target);
    uint64_t deaths = tshm_load(&control()->control.writer.deaths, relaxed);
    bool held = (tshm_load(&row->owner, relaxed) & TSHM_WORD_OWNER) != 0;
    count.half += (tshm_load(&row->versions[0].mark, relaxed) & 1) ||
                  (table.slot_count == 2 && (tshm_load(&row->versions[1].mark, relaxed) & 1));
    count.held += held;
    uint64_t found = read_row(target, &count.torn), newest = before;
    if (found == 0)
        count.lost++;
    else
        newest = found;
    count.published += newest != before;
    count.skipped += newest != before && newest != before + 1;
    count.overtaken += lapped && newest != before;
    look(follower, 0, ROWS - 1);
    expect_report(follower, target);
    if (lapped)
        tshm_store(&row->ticket, 0, relaxed);

    int taken = write_row(&lock, target, 0);
    count.stuck += taken < 0;
    count.uncounted += tshm_load(&control()->control.writer.deaths, relaxed) != deaths + held;
    count.skipped += read_row(target, &count.torn) != newest + 1;
    look(follower, 0, ROWS - 1);
    count.unreported += !follower->told[target];
    expect_report(follower, target);
}

int main(int given, char **argument) {
    if (given != 5)
        return 2;
    path = argument[1];
    const char *deed = argument[2];
    bool pauses = strcmp(argument[4], "pause") == 0, lapped = strcmp(deed, "lapped") == 0, done = false;
    static follower follower;
    make_table((uint32_t)atoi(argument[3]));
    join(&lock);
    for (int lap = 0; lap < 3; lap++)
        for (uint64_t row = 0; row < ROWS; row++)
            count.stuck += write_row(&lock, row, 0) < 0;
    follower.since = 1;
    look(&follower, 0, ROWS - 1);
    long steps = 0;
    for (; !done && !hopeless(); steps++) {
        if (steps == STEPS_MAX)
            return CANNOT; /* loads and stores in pairs, which a step in between tears apart, as on older ARM */
        now = os_realtime_ns();
        uint64_t target = target_of(deed), before = tshm_row_number(&table, tshm_row_of(&table, target));
        uint64_t other = tshm_row_number(&table, tshm_row_of(&table, OTHER));
        /* somebody may sleep on the row, and on the news, so that wake-ups are part of it */
        (void)tshm_change(or, &tshm_row_of(&table, target)->owner, TSHM_WORD_WAITING, relaxed);
        if (strcmp(deed, "sleep") != 0)
            (void)tshm_change(or, &control()->control.head.word, TSHM_HEAD_AWAITED, relaxed);
        if (lapped)
            tshm_store(&tshm_row_of(&table, target)->ticket, UINT64_MAX, relaxed);
        pid_t pid = fork();
        if (pid < 0)
            fail("fork");
        if (pid == 0)
            child(deed);
        done = lead(pid, steps);
        if (pauses && !done) {
            int status = 0;
            look(&follower, 0, ROWS - 1);
            if (ptrace(PTRACE_CONT, pid, 0, 0) < 0 || waitpid(pid, &status, 0) < 0 || WSTOPSIG(status) != SIGUSR1)
                fail("the child did not get on");
        }
        end_child(pid);
        go_on(&follower, target, before, lapped);
        if (target != OTHER)
            count.touched += read_row(OTHER, &count.torn) != other;
    }
    printf("boundaries=%ld held=%ld half=%ld published=%ld lost=%ld TORN=%ld SKIPPED=%ld STUCK=%ld UNREPORTED=%ld "
           "UNCOUNTED=%ld TOUCHED=%ld OVERTAKEN=%ld\n",
           steps, count.held, count.half, count.published, count.lost, count.torn, count.skipped, count.stuck,
           count.unreported, count.uncounted, count.touched, count.overtaken);
    unlink(path);
    return 0;
}
