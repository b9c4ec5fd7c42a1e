/* Kills a process at every instruction boundary of what it does to a region, and looks whether anybody else notices.
 *
 *     single_step FOLDER write|give|attach|inherit|read|pin|refused SLOTS [used]
 *
 * A child is led by single steps through one deed of the C core, and killed after the first instruction, then another
 * one after the second, and so on to the end. After each death the parent reads, takes the lock without waiting, and
 * writes the next version. What a dead reader has pinned must be free at last, be it that a writer comes by or that
 * somebody takes the dead reader's presence entry. Prints one line of counts, "name=number"; those in capitals have to
 * be 0. With "used" values vary in size, and only what is used is copied. To give is to write with a number of one's
 * own. Ends with 77 if processes cannot be led by single steps here.
 */
#define _GNU_SOURCE
#include "lock/lock.h"
#include "steps.h"

#include <fcntl.h>

enum { WORDS = 8, STRIDE = 256, PRESENCE = 8 };
TSHM_STATIC_ASSERT(STRIDE >= sizeof(tshm_slot) + 8 * WORDS, "a slot holds its payload");

static const char *path;
static tshm_ring ring;
static lock_handle lock;

static tshm_control *control(void) {
    return tshm_control_of(&ring);
}

/* ---- a region, as far as lock and ring need one ---- */

static int open_file(void) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        fail("open");
    return fd;
}

static void make_region(uint32_t slots) {
    size_t size = sizeof(tshm_control) + slots * STRIDE;
    ring.base = make_memory(path, size);
    ring.slots_offset = sizeof(tshm_control);
    ring.slot_stride = STRIDE;
    ring.payload_size = 8 * WORDS;
    ring.slot_count = slots;
    ring.presence_count = PRESENCE;
}

/* As a new process, which has nothing of its parent's. */
static void join(lock_handle *mine) {
    mine->control = control();
    mine->presence_count = PRESENCE;
    mine->peers.fd = open_file();
}

/* ---- values: every word follows from the version; if their size varies, also how many items are used ---- */

enum { COUNT = 8, ITEMS = 12, ROOM = 8 * (WORDS - 1) - ITEMS }; /* bytes, and then a whole word */
static const uint32_t most[] = {ROOM};
static const tshm_extent extents[] = {{COUNT, ITEMS, 1, most, 1, 0}};
static const tshm_plan plan = {8 * WORDS, 1, extents};
static bool vary;

/* What is not used stays as it is. */
static void fill(uint64_t *words, uint64_t version) {
    uint64_t all[WORDS];
    for (uint64_t i = 0; i < WORDS; i++)
        all[i] = version * 1000003 + i;
    if (!vary) {
        memcpy(words, all, sizeof all);
        return;
    }
    uint32_t used = (uint32_t)(5 + version % 8); /* as many words whichever, and so as many steps */
    tshm_set_count(extents, 0, all, used);
    memcpy(words, all, ITEMS + used);
    words[WORDS - 1] = all[WORDS - 1];
}

static bool is_value(const uint64_t *words, uint64_t version) {
    uint64_t expected[WORDS];
    memcpy(expected, words, sizeof expected);
    fill(expected, version);
    return memcmp(words, expected, sizeof expected) == 0;
}

/* ---- what is done, as the package does it ----
 *
 * But for the clock: that is read beforehand, since it takes now more instructions, now fewer, so that the same number
 * of steps would not always end at the same place. */

static uint64_t now;
static uint64_t leap = 1; /* from the newest version to that of the one who is killed */
static bool gives;

static void write_next(lock_handle *mine, uint64_t version) {
    tshm_cursor cursor;
    uint64_t words[WORDS] = {0};
    fill(words, version);
    if (tshm_write_begin(&ring, lock_alive, mine, &cursor) != TSHM_WRITABLE) {
        fputs("every slot is pinned\n", stderr);
        _exit(1); /* at once: every further instruction would be led through as well */
    }
    if (vary)
        tshm_copy_used_in(cursor.payload, words, &plan);
    else
        tshm_copy_in(cursor.payload, words, sizeof words);
    if (gives ? tshm_write_end_as(&ring, &cursor, version, now) : tshm_write_end(&ring, &cursor, now))
        os_word_wake_all(&mine->peers, control(), (void *)&control()->head.word);
}

static int read_newest(uint64_t *version, uint64_t *words) {
    tshm_cursor cursor;
    int state = tshm_read_begin(&ring, &cursor);
    if (state != TSHM_READABLE)
        return state;
    if (vary)
        tshm_copy_used_out(words, cursor.payload, &plan);
    else
        tshm_copy_out(words, cursor.payload, 8 * WORDS);
    *version = tshm_version(&ring, &cursor);
    return tshm_read_retry(&cursor) ? TSHM_BUSY : TSHM_READABLE;
}

static void take_write_release(lock_handle *mine, uint64_t version) {
    lock_word place = {.word = &control()->writer.word};
    if (lock_try(mine, &place) < 0)
        _exit(1);
    write_next(mine, version);
    if (lock_release(mine, &place, true) != LOCK_TAKEN)
        _exit(1);
}

static void sleep_and_read(lock_handle *mine) {
    uint64_t words[WORDS], version;
    uint32_t number = tshm_head_number(&ring);
    if (tshm_announce_sleep(&ring, number))
        os_word_wait(&mine->peers, control(), (void *)&control()->head.word, number | TSHM_HEAD_AWAITED, 1000);
    read_newest(&version, words);
}

/* Look at a slot in place, or find that too many are pinned. */
static void pin_and_let_go(lock_handle *mine, int expected) {
    tshm_cursor cursor;
    if (tshm_read_begin(&ring, &cursor) != TSHM_READABLE ||
        tshm_pin(&ring, &cursor, mine->entry, 0, lock_alive, mine) != expected)
        _exit(1);
    if (expected != TSHM_READABLE)
        return;
    if (!is_value((const uint64_t *)(const void *)cursor.payload, tshm_version(&ring, &cursor)))
        _exit(1);
    tshm_unpin(&cursor, mine->entry);
}

static long count_pins(uint64_t bits) {
    long pins = 0;
    for (uint32_t slot = 0; slot < ring.slot_count; slot++)
        pins += (tshm_load(&tshm_slot_of(&ring, slot)->pins[0], relaxed) & bits) != 0;
    return pins;
}

/* ---- the child ---- */

static void child(const char *deed, uint64_t version) {
    lock_handle mine = {0};
    close(lock.peers.fd); /* through the parent's description we would be the parent */
    join(&mine);
    bool attaches = strcmp(deed, "attach") == 0 || strcmp(deed, "inherit") == 0;
    if (!attaches && lock_attach(&mine) != LOCK_TAKEN)
        _exit(1);
    gives = leap > 1;
    be_led();
    if (attaches && (lock_attach(&mine) != LOCK_TAKEN || lock_owner(mine.control) == (int)mine.entry))
        _exit(1);
    if (strcmp(deed, "read") == 0)
        sleep_and_read(&mine);
    else if (strcmp(deed, "pin") == 0)
        pin_and_let_go(&mine, TSHM_READABLE);
    else if (strcmp(deed, "refused") == 0)
        pin_and_let_go(&mine, TSHM_TOO_MANY);
    else if (!attaches)
        take_write_release(&mine, version);
    be_done();
}

/* ---- the parent ---- */

static struct {
    long held, half, complete, published, lost, pinned, torn, skipped, stuck, uncounted, dirty, left;
} count;

/* What must not be, and has been: a few times are enough. */
static bool hopeless(void) {
    return count.torn + count.skipped + count.stuck + count.uncounted + count.dirty + count.left > 5;
}

/* Before a death: things as a busy region has them. */
static void prepare(const char *deed, uint64_t next) {
    tshm_writer *writer = &control()->writer;
    /* somebody may sleep on head, and on the lock, so that wake-ups are part of a write */
    (void)tshm_change(or, &control()->head.word, TSHM_HEAD_AWAITED, relaxed);
    atomic_fetch_or_explicit(&writer->word, TSHM_WORD_WAITING, memory_order_relaxed);
    bool writes = strcmp(deed, "write") == 0 || strcmp(deed, "give") == 0;
    if (ring.slot_count >= 3 && writes) /* a dead reader's pin, where the write wants to go */
        tshm_store(&tshm_slot_of(&ring, next)->pins[0], 1ull << (PRESENCE - 1), relaxed);
    if (strcmp(deed, "refused") == 0) /* all that may be are pinned, by one who lives */
        for (uint32_t back = 1; back <= ring.slot_count - 2; back++)
            tshm_store(&tshm_slot_of(&ring, next - 1 - back)->pins[0], 1ull << lock.entry, relaxed);
    uint32_t next_entry = lock.entry + 1;
    if (strcmp(deed, "inherit") == 0) /* who had the presence entry before died holding the lock */
        (void)tshm_change(or, &writer->word,
                          TSHM_WORD_GENERATION(control()->presence[next_entry].generation) | (next_entry + 1), relaxed);
}

/* A reader has died, perhaps with a pin, and the next version is written: let its pin be found. */
static uint64_t outlive(uint64_t newest, bool by_heir) {
    for (uint32_t slot = 0; slot < ring.slot_count;
         slot++) /* our own, from prepare(): with an heir's it may be too many */
        atomic_fetch_and_explicit(&tshm_slot_of(&ring, slot)->pins[0], ~(1ull << lock.entry), memory_order_relaxed);
    if (by_heir) { /* as _native/mutex.c does it, whoever comes next drops what its predecessor had pinned */
        lock_handle heir = {0};
        join(&heir);
        if (lock_attach(&heir) != LOCK_TAKEN)
            fail("lock_attach");
        take_write_release(&lock, ++newest); /* before the heir has done so, the pin is one of the living */
        for (uint32_t slot = 0; slot < ring.slot_count; slot++)
            atomic_fetch_and_explicit(&tshm_slot_of(&ring, slot)->pins[0], ~(1ull << heir.entry), memory_order_relaxed);
        close(heir.peers.fd);
    } else {
        for (uint32_t slot = 0; slot < ring.slot_count; slot++)
            take_write_release(&lock, ++newest);
    }
    count.left += count_pins(~(1ull << lock.entry));
    return newest;
}

/* After it: what stands there, and how it goes on. `newest` is the newest version before it. */
static uint64_t look(uint64_t newest, uint64_t head) {
    tshm_writer *writer = &control()->writer;
    uint64_t word = tshm_load(&writer->word, relaxed), deaths = tshm_load(&writer->deaths, relaxed);
    uint64_t words[WORDS], version = 0;
    bool held = (word & TSHM_WORD_OWNER) != 0;
    bool published = tshm_newest(&ring) != head;
    uint64_t mark = tshm_load(&tshm_slot_of(&ring, head + 1)->mark, relaxed);
    count.held += held;
    count.published += published;
    count.half += mark == 2 * head + 3;
    count.complete += !published && mark == 2 * (ring.slot_count == 1 ? head + leap : head + 1);

    newest += published ? leap : 0;
    int state = read_newest(&version, words);
    if (state != TSHM_READABLE)
        count.lost++;
    else if (version != newest || !is_value(words, version))
        count.torn++;

    lock_word place = {.word = &writer->word};
    int taken = lock_try(&lock, &place);
    if (taken < 0) {
        count.stuck++;
        tshm_store(&writer->word, word & TSHM_WORD_COUNTER, relaxed); /* so that the rest can be looked at */
        taken = lock_try(&lock, &place);
    }
    bool dirty = held || (word & TSHM_WORD_DIRTY);
    count.dirty += (taken == LOCK_RECOVERED) != dirty;
    count.uncounted += tshm_load(&writer->deaths, relaxed) != deaths + held;
    write_next(&lock, newest + 1);
    count.stuck += lock_release(&lock, &place, true) != LOCK_TAKEN;
    if (read_newest(&version, words) != TSHM_READABLE || !is_value(words, version))
        count.torn++;
    count.skipped += version != newest + 1;
    return version;
}

int main(int arguments, char **argument) {
    if (arguments != 4 && arguments != 5)
        return 2;
    vary = arguments == 5;
    path = argument[1];
    const char *deed = argument[2];
    leap = strcmp(deed, "give") == 0 ? 3 : 1;
    make_region((uint32_t)atoi(argument[3]));
    join(&lock);
    if (lock_attach(&lock) != LOCK_TAKEN)
        fail("lock_attach");
    uint64_t newest = 0;
    while (newest < 7)
        take_write_release(&lock, ++newest);

    bool done = false;
    long steps = 0;
    for (; !done && !hopeless(); steps++) {
        if (steps == STEPS_MAX)
            return CANNOT; /* loads and stores in pairs, which a step in between tears apart, as on older ARM */
        uint64_t head = tshm_newest(&ring);
        now = os_realtime_ns();
        prepare(deed, head + 1);
        pid_t pid = fork();
        if (pid < 0)
            fail("fork");
        if (pid == 0)
            child(deed, newest + leap);
        done = lead(pid, steps);
        end_child(pid);
        long pinned = count_pins(~(1ull << lock.entry));
        newest = look(newest, head);
        if (strcmp(deed, "pin") == 0 || strcmp(deed, "refused") == 0) {
            count.pinned += pinned;
            newest = outlive(newest, steps % 2);
        }
    }
    for (uint32_t slot = 0; slot < ring.slot_count; slot++) /* all slots once over: no pin of the dead stays */
        take_write_release(&lock, ++newest);
    for (uint32_t slot = 0; slot < ring.slot_count; slot++)
        count.left += tshm_load(&tshm_slot_of(&ring, slot)->pins[0], relaxed) != 0;
    for (uint32_t entry = 0; entry < PRESENCE; entry++)
        count.left += entry != lock.entry && lock_alive(&lock, entry);
    printf("boundaries=%ld held=%ld half=%ld complete=%ld published=%ld lost=%ld pinned=%ld TORN=%ld SKIPPED=%ld "
           "STUCK=%ld "
           "UNCOUNTED=%ld DIRTY=%ld LEFT=%ld\n",
           steps, count.held, count.half, count.complete, count.published, count.lost, count.pinned, count.torn,
           count.skipped, count.stuck, count.uncounted, count.dirty, count.left);
    unlink(path);
    return 0;
}
