/* Arbitrary bytes as a region or table: whatever tshm_check() or tshm_check_table() lets pass must not lead a reader, a
 * writer, a follower or a lock outside the memory. For libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer.
 *
 * An input is a script of 16 bytes, which stand for what the rest of the world does, and then the region without its
 * presence table, which nobody believes. The check sum is made to fit, or nothing would ever come past it. */
#include "lock/lock.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCRIPT = 16, BEFORE = 640, PLACES = TSHM_LINE + 8 * TSHM_LINE, CAPACITY = 1 << 19 };

static _Alignas(4096) unsigned char memory[CAPACITY]; /* what lies behind the region is poisoned */
static uint8_t script[SCRIPT];
static unsigned step;
static uint32_t presences; /* as the header said that was checked */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "fuzz_header: %s\n", what);
    abort();
}

/* ---- the world as the lock sees it ---- */

static unsigned next(void) {
    return script[step++ % SCRIPT];
}

int os_peers_claim(os_peers *peers, uint32_t entry) {
    (void)peers;
    insist(entry < presences, "claims an entry out of range");
    return next() % 3 == 0;
}

int os_peers_alive(const os_peers *peers, uint32_t entry) {
    (void)peers;
    insist(entry < presences, "asks after an entry out of range");
    return next() % 2;
}

bool os_peers_intact(const os_peers *peers) {
    (void)peers;
    return true;
}

void os_word_wait(os_peers *peers, tshm_control *control, void *word, uint32_t expected, uint64_t ns) {
    (void)peers, (void)word, (void)expected, (void)ns;
    tshm_store(&control->writer.word, (uint64_t)next() << next() % 56, relaxed); /* somebody scribbles over it */
}

void os_word_wake_one(os_peers *peers, tshm_control *control, void *word) {
    (void)peers, (void)control, (void)word;
}

void os_word_wake_all(os_peers *peers, tshm_control *control, void *word) {
    (void)peers, (void)control, (void)word;
}

uint64_t os_realtime_ns(void) {
    return 1;
}

void os_relax(void) {}

uint32_t os_process_id(void) {
    return 1;
}

uint64_t os_process_started(void) {
    return 1;
}

/* ---- everything that is done with a checked region ---- */

/* Once more, by other arithmetic, what tshm_check() promises. */
static void check_geometry(const tshm_header *header, const tshm_ring *ring, uint64_t size) {
    __extension__ typedef unsigned __int128 wide;
    insist(header->instance != 0, "no instance");
    insist(ring->slot_count >= 1 && ring->slot_count <= TSHM_SLOTS_MAX, "slot count");
    insist(ring->presence_count >= 1 && ring->presence_count <= TSHM_PRESENCE_MAX, "presence count");
    insist(ring->payload_size >= 1, "no payload");
    insist(ring->slots_offset % TSHM_LINE == 0 && ring->slot_stride % TSHM_LINE == 0, "slots that do not begin lines");
    insist((wide)ring->payload_size + sizeof(tshm_slot) <= ring->slot_stride, "a payload beyond its slot");
    insist(ring->slots_offset >= sizeof(tshm_control), "slots over the control block");
    insist(ring->slots_offset + (wide)ring->slot_count * ring->slot_stride <= size, "slots beyond the memory");
    insist(header->document_offset >= sizeof(tshm_control) && header->document_size <= TSHM_DOCUMENT_MAX, "document");
    insist((wide)header->document_offset + header->document_size <= ring->slots_offset, "document over the slots");
    insist(ring->lossless == (header->flags == TSHM_LOSSLESS), "flags");
    insist(!ring->lossless || ring->slot_count >= 2, "nothing to wait for");
    insist(!ring->lossless || header->document_offset >= sizeof(tshm_lossless_control), "document over the followers");
}

static int read_value(const tshm_ring *ring, void *value, tshm_cursor *cursor) {
    int state = tshm_read_begin(ring, cursor);
    if (state != TSHM_READABLE)
        return state;
    tshm_copy_out(value, cursor->payload, ring->payload_size);
    tshm_version(ring, cursor);
    insist(!tshm_read_retry(cursor), "a slot changed by nobody");
    return state;
}

static void write_value(const tshm_ring *ring, lock_handle *lock, const void *value) {
    tshm_cursor cursor, again;
    int state = tshm_write_begin(ring, lock_alive, lock, &cursor);
    if (state == TSHM_AWAITED) {
        uint32_t place = tshm_drop_followers(ring, cursor.sequence, lock_alive, lock, 1ull << 60);
        insist(place <= TSHM_FOLLOWERS, "a place out of range");
        insist(place == TSHM_FOLLOWERS || (tshm_used_places(ring) >> place & 1), "a place that nobody uses");
        insist(tshm_announce_writer(ring, tshm_room_number(ring)), "room made by nobody");
        insist(place == TSHM_FOLLOWERS || tshm_still_awaited(ring, cursor.sequence, tshm_left(ring)),
               "room made by nobody");
        state = tshm_write_begin(ring, lock_alive, lock, &again);
        insist(place < TSHM_FOLLOWERS || state != TSHM_AWAITED || again.sequence != cursor.sequence,
               "nobody to wait for, and yet");
        cursor = again;
    }
    if (state != TSHM_WRITABLE)
        return;
    tshm_copy_in(cursor.payload, value, ring->payload_size);
    uint64_t given = tshm_last_version(ring) + 1 + cursor.sequence % 3; /* each third is the next number */
    bool gives = given > tshm_last_version(ring) && given <= TSHM_SEQUENCE_MAX;
    if (gives)
        tshm_write_end_as(ring, &cursor, given, 1);
    else
        tshm_write_end(ring, &cursor, 1);
    void *back = malloc(ring->payload_size);
    state = read_value(ring, back, &again);
    uint64_t sequence = gives && ring->slot_count == 1 ? given : cursor.sequence;
    insist(sequence == 0 || (state == TSHM_READABLE && again.sequence == sequence), "what was written is lost");
    insist(!gives || tshm_last_version(ring) == given, "it has another number");
    insist(state != TSHM_READABLE || memcmp(back, value, ring->payload_size) == 0, "what was written is torn");
    free(back);
}

/* ---- what is used of a value, whatever it says of that ---- */

static uint32_t most[4];
static tshm_extent extents[2];

/* What a schema might say: items of two fields that lie in a value of that size. */
static tshm_plan make_plan(uint64_t size) {
    tshm_plan plan = {size, 0, extents};
    uint64_t end = 0;
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *chosen = script + 8 * i;
        tshm_extent extent = {end + chosen[0] % 16, 0, 1 + chosen[1] % 8, &most[2 * i], 1 + chosen[2] % 2, 0};
        extent.swapped = chosen[3] % 2;
        extent.data = extent.counts + 4 * extent.axes + chosen[4] % 8;
        most[2 * i] = 1 + chosen[5] % 64;
        most[2 * i + 1] = 1 + chosen[6] % 8;
        end = extent.data + tshm_room(&extent);
        if (end > size)
            break;
        extents[plan.count++] = extent;
    }
    return plan;
}

/* Is a byte of a value always copied, or of a used item? By other arithmetic. */
static bool is_used(const tshm_plan *plan, const unsigned char *value, uint64_t at) {
    for (uint32_t i = 0; i < plan->count; i++) {
        const tshm_extent *extent = &plan->extents[i];
        uint64_t used = extent->step, room = extent->step;
        for (uint32_t axis = 0; axis < extent->axes; axis++) {
            const unsigned char *number = value + extent->counts + 4 * axis;
            uint64_t count = 0;
            for (int byte = 0; byte < 4; byte++)
                count |= (uint64_t)number[extent->swapped ? 3 - byte : byte] << 8 * byte;
            used *= count > extent->most[axis] ? extent->most[axis] : count;
            room *= extent->most[axis];
        }
        if (at >= extent->data && at < extent->data + room)
            return at < extent->data + used;
    }
    return true;
}

static void copy_used(const tshm_ring *ring) {
    tshm_plan plan = make_plan(ring->payload_size);
    unsigned char *payload = tshm_cursor_at(ring, 0).payload;
    size_t size = ring->payload_size, room = ring->slot_stride - sizeof(tshm_slot);
    unsigned char *value = malloc(size), *before = malloc(room);
    insist(value && before, "no memory");
    memcpy(before, payload, room);
    memset(value, 0x5a, size);
    tshm_copy_used_out(value, payload, &plan);
    for (uint64_t at = 0; at < size && size < 4096; at++)
        insist(value[at] == (is_used(&plan, value, at) ? payload[at] : 0x5a), "another byte was copied out");
    for (size_t at = 0; at < size; at++)
        value[at] = (unsigned char)(script[at % SCRIPT] + at / SCRIPT);
    tshm_copy_used_in(payload, value, &plan);
    for (uint64_t at = 0; at < room && size < 4096; at++) {
        bool used = at < size && is_used(&plan, value, at);
        bool beside = false; /* in the same word as a byte that is */
        for (uint64_t byte = at / 8 * 8; byte < at / 8 * 8 + 8; byte++)
            beside = beside || (byte < size && is_used(&plan, value, byte));
        insist(used ? payload[at] == value[at] : beside || payload[at] == before[at], "another byte was copied in");
    }
    free(value);
    free(before);
}

/* As a follower, and as a member of each group that there is, wherever these say that they are. */
static void follow(const tshm_ring *ring, lock_handle *lock) {
    uint32_t place = tshm_find_place(ring);
    tshm_cursor cursor;
    if (place == TSHM_FOLLOWERS)
        return;
    tshm_follower *follower = tshm_follower_at(ring, place);
    tshm_store(&follower->keep, 0, relaxed);
    tshm_take_place(ring, place, TSHM_FOLLOWER, tshm_my_name(ring), tshm_oldest(ring));
    uint64_t position = tshm_load(&follower->position, relaxed);
    for (int steps = 0; steps < 8 && tshm_next_awaited(ring, position, &cursor) == TSHM_READABLE; steps++) {
        insist(cursor.sequence > position, "not the next one");
        position = cursor.sequence;
        (void)tshm_got_it(ring, follower, position);
    }
    tshm_leave_place(ring, follower, 0);
    uint32_t member = tshm_find_place(ring);
    for (uint32_t group = 0; group < TSHM_FOLLOWERS && member < TSHM_FOLLOWERS; group++) {
        if (!(tshm_used_places(ring) >> group & 1) || !tshm_is(tshm_follower_at(ring, group), TSHM_GROUP))
            continue;
        tshm_take_place(ring, member, tshm_member_of(group), tshm_my_name(ring), 0);
        if (tshm_group_lock(ring, group, tshm_name_in_group(tshm_my_name(ring), member), lock_alive, lock)) {
            tshm_hand_out(ring, group, &member, 1, lock_alive, lock, &cursor);
            insist(member < TSHM_FOLLOWERS, "a place out of range");
            tshm_group_unlock(ring, group);
        }
        tshm_got_it(ring, tshm_follower_at(ring, member), 0);
        tshm_leave_place(ring, tshm_follower_at(ring, member), 0);
        member = tshm_find_place(ring);
    }
    insist(tshm_drop_followers(ring, TSHM_SEQUENCE_MAX, lock_alive, lock, 1ull << 60) <= TSHM_FOLLOWERS, "a place");
}

static volatile uint64_t seen_by_somebody; /* or what was only looked at would not be loaded */

/* ---- followers for whom writers wait, and claims, whatever stands in their places ---- */

/* In place of the input, which is too short to reach them often: bytes from the script, each kind of number once. */
static void scribble(const tshm_ring *ring) {
    tshm_writer *writer = &tshm_control_of(ring)->writer;
    uint64_t head = tshm_newest(ring);
    for (uint32_t place = 0; place < TSHM_FOLLOWERS; place += 1 + next() % 8) {
        tshm_follower *follower = tshm_follower_at(ring, place);
        const uint64_t numbers[] = {0, 1, head, head - 1, head + next(), UINT64_MAX, (uint64_t)next() << next() % 57};
        tshm_store(&follower->owner, (uint64_t)next() << next() % 57, relaxed);
        tshm_store(&follower->position, numbers[next() % 7], relaxed);
        tshm_store(&follower->gone, numbers[next() % 7], relaxed);
        tshm_store(&follower->keep, numbers[next() % 7], relaxed);
        tshm_store(&follower->lost, next() % 4 ? 0 : numbers[next() % 7], relaxed);
        tshm_store(&follower->role, next() % 5 | (uint64_t)(next() % 2 ? next() % 64 : next() << 24) << 32, relaxed);
        follower->redelivers = next() % 2;
    }
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | next();
    tshm_store(&writer->followers, bits, relaxed);
    tshm_store(&writer->low_mark, next() % 2 ? 0 : (uint64_t)next() << next() % 57, relaxed);
    tshm_store(&writer->exclusive, next() % 2 ? 0 : (uint64_t)next() << next() % 57, relaxed);
    tshm_store(&tshm_lossless_of(ring)->room.word, (uint64_t)next() << next() % 57, relaxed);
}

static void insist_cursor(const tshm_ring *ring, int state, const tshm_cursor *cursor) {
    if (state == TSHM_READABLE) /* a byte beyond the memory would be poisoned */
        seen_by_somebody = cursor->payload[0] ^ cursor->payload[ring->payload_size - 1];
}

/* With the writers' lock. */
static void use_followers(const tshm_ring *ring, lock_handle *lock) {
    scribble(ring);
    tshm_cursor cursor = {0};
    uint64_t name = tshm_my_name(ring), now = 1 + (uint64_t)next() * 1000000, position;
    (void)tshm_claimed(ring, lock_alive, lock);
    for (uint32_t place = 0; place < TSHM_FOLLOWERS; place += 1 + next() % 16) {
        tshm_follower *follower = tshm_follower_at(ring, place);
        position = tshm_load(&follower->position, relaxed);
        insist_cursor(ring, tshm_next_awaited(ring, position, &cursor), &cursor);
        insist_cursor(ring, tshm_next(ring, &position, next() % 2, &cursor), &cursor);
        uint32_t of = (uint32_t)(tshm_role(follower) >> 32), mine = place;
        if (tshm_is(follower, TSHM_MEMBER) && of < TSHM_FOLLOWERS && /* as its owner has checked */
            tshm_group_lock(ring, of, tshm_name_in_group(name, place), lock_alive, lock)) {
            insist_cursor(ring, tshm_hand_out(ring, of, &mine, next() % 2, lock_alive, lock, &cursor), &cursor);
            insist(mine < TSHM_FOLLOWERS, "a place that is none");
            tshm_group_unlock(ring, of);
        }
        (void)tshm_got_it(ring, tshm_follower_at(ring, mine), cursor.sequence);
    }
    int state = tshm_write_begin(ring, lock_alive, lock, &cursor);
    for (int tries = 0; state == TSHM_AWAITED && tries < 4; tries++) {
        uint64_t left = tshm_left(ring);
        uint32_t waits = tshm_drop_followers(ring, cursor.sequence, lock_alive, lock, now);
        insist(waits <= TSHM_FOLLOWERS, "waits for a place that is none");
        if (tshm_announce_writer(ring, tshm_room_number(ring)))
            (void)tshm_still_awaited(ring, cursor.sequence, left);
        now += 1000000;
        state = tshm_write_begin(ring, lock_alive, lock, &cursor);
    }
    insist_cursor(ring, state == TSHM_WRITABLE ? TSHM_READABLE : state, &cursor);
    (void)tshm_drop_followers(ring, TSHM_SEQUENCE_MAX, lock_alive, lock, now);
    uint32_t place = tshm_find_place(ring);
    insist(place <= TSHM_FOLLOWERS, "finds a place that is none");
    if (place < TSHM_FOLLOWERS) {
        tshm_take_place(ring, place, next() % 2 ? TSHM_FOLLOWER : tshm_member_of(next() % 64), name, tshm_oldest(ring));
        insist(tshm_used_places(ring) >> place & 1, "a place that is not taken");
        (void)tshm_leave_place(ring, tshm_follower_at(ring, place), now);
    }
    seen_by_somebody = tshm_behind_overrun(ring);
    tshm_claim(ring);
    insist(tshm_claimed(ring, lock_alive, lock) == 0, "a claim that is not ours");
    tshm_unclaim(ring);
    tshm_store(&tshm_control_of(ring)->writer.followers, 0, relaxed); /* what is written next finds room */
}

static void use(const tshm_header *header, const tshm_ring *ring) {
    uint64_t seen = 0;
    if (header->document_size)
        seen ^= memory[header->document_offset] ^ memory[header->document_offset + header->document_size - 1];
    for (uint32_t i = 0; i < ring->slot_count; i++)
        seen ^= tshm_slot_of(ring, i)->mark ^ tshm_cursor_at(ring, i).payload[ring->payload_size - 1];

    seen_by_somebody = seen;

    tshm_cursor cursor;
    void *value = malloc(ring->payload_size); /* to the byte: one more is an error */
    insist(value != NULL, "no memory");
    memset(value, 0x5a, ring->payload_size);
    read_value(ring, value, &cursor);
    uint32_t number = tshm_head_number(ring);
    insist(tshm_announce_sleep(ring, number) && tshm_head_number(ring) == number, "a head moved by nobody");

    lock_handle lock = {.control = tshm_control_of(ring), .presence_count = ring->presence_count};
    if (lock_attach(&lock) == LOCK_TAKEN) {
        insist(lock.entry < ring->presence_count, "an entry out of range");
        lock_word word = {.word = &lock.control->writer.word};
        int taken = lock_try(&lock, &word);
        for (int tries = 0; taken < 0 && tries < 8; tries++)
            taken = lock_wait(&lock, &word, 1);
        if (taken >= 0) {
            insist(lock_owner(lock.control) == (int)lock.entry, "somebody else's lock");
            if (ring->lossless)
                use_followers(ring, &lock);
            for (int writes = 0; writes < 3; writes++)
                write_value(ring, &lock, value);
            if (ring->lossless)
                follow(ring, &lock);
            insist(lock_release(&lock, &word, true) == LOCK_TAKEN, "the lock is lost");
        }
    }
    free(value);
    copy_used(ring);
}

/* ---- the same of a table ---- */

static void check_table_geometry(const tshm_header *header, const tshm_table *table, uint64_t size) {
    __extension__ typedef unsigned __int128 wide;
    wide words = ((wide)table->payload_size + 7) / 8 * 8;
    insist(header->instance != 0, "no instance");
    insist(table->slot_count == 1 || table->slot_count == 2, "versions kept");
    insist(table->presence_count >= 1 && table->presence_count <= TSHM_PRESENCE_MAX, "presence count");
    insist(table->payload_size >= 1, "no payload");
    insist(table->row_count >= 1 && table->row_count <= TSHM_ROWS_MAX, "row count");
    insist(table->rows_offset % TSHM_LINE == 0 && table->row_stride % TSHM_ROW_LINE == 0,
           "rows that do not begin lines");
    insist((table->slot_count == 1 ? 40 + words : 64 + 2 * words) <= table->row_stride, "a payload beyond its row");
    insist(table->rows_offset + (wide)table->row_count * table->row_stride <= size, "rows beyond the memory");
    insist(table->stamps_offset % TSHM_LINE == 0, "stamps that do not begin a line");
    insist(table->stamps_offset + ((wide)table->row_count + 63) / 64 * 8 <= table->rows_offset, "stamps over the rows");
    insist(header->document_offset >= sizeof(tshm_table_control), "document over the control block");
    insist(header->document_size <= TSHM_DOCUMENT_MAX, "document");
    insist((wide)header->document_offset + header->document_size <= table->stamps_offset, "document over the stamps");
}

static int read_row(const tshm_table *table, uint64_t number, void *value, tshm_row_cursor *cursor) {
    int state = tshm_row_read_begin(table, tshm_row_of(table, number), cursor);
    if (state != TSHM_READABLE)
        return state;
    tshm_copy_out(value, cursor->payload, table->payload_size);
    insist(!tshm_row_read_retry(cursor), "a row changed by nobody");
    insist(cursor->number == tshm_row_number(table, cursor->row), "another newest version");
    return state;
}

static void write_row(const tshm_table *table, lock_handle *lock, uint64_t number, const void *value, void *back) {
    lock_word word = {.word = &tshm_row_of(table, number)->owner};
    int taken = lock_try(lock, &word);
    for (int tries = 0; taken < 0 && tries < 8; tries++)
        taken = lock_wait(lock, &word, 1);
    if (taken < 0)
        return;
    tshm_row_cursor cursor, again;
    for (int writes = 0; writes < 3; writes++) {
        tshm_row_stamp(table, number);
        cursor = tshm_row_write_begin(table, tshm_row_of(table, number));
        tshm_copy_in(cursor.payload, value, table->payload_size);
        tshm_row_write_end(&cursor, 1);
    }
    int state = read_row(table, number, back, &again);
    /* beside a number at the end of all numbers, those that begin anew are not the newest */
    insist(cursor.number <= 3 || (state == TSHM_READABLE && again.number == cursor.number), "what was written is lost");
    insist(cursor.number <= 3 || memcmp(back, value, table->payload_size) == 0, "what was written is torn");
    insist(lock_release(lock, &word, true) == LOCK_TAKEN, "the row is lost");
    (void)tshm_news(table);
}

static void use_table(const tshm_header *header, const tshm_table *table) {
    uint64_t seen = 0, last = table->row_count - 1;
    if (header->document_size)
        seen ^= memory[header->document_offset] ^ memory[header->document_offset + header->document_size - 1];
    void *value = malloc(table->payload_size),
         *back = malloc(table->payload_size); /* to the byte: one more is an error */
    insist(value && back, "no memory");
    memset(value, 0x5a, table->payload_size);
    uint64_t epoch = tshm_epoch_step(table);
    for (uint64_t number = 0; number <= last; number++) { /* as a follower looks */
        if (number == 100 && last > 200)                  /* a place that is not there lies at an end */
            number = last - 100;
        tshm_row_cursor cursor;
        seen ^= tshm_load(tshm_stamp_of(table, number), seq_cst) >= epoch;
        seen ^= tshm_row_number(table, tshm_row_of(table, number)) ^ tshm_row_of(table, number)->stamp;
        read_row(table, number, back, &cursor);
    }
    seen_by_somebody = seen;
    uint32_t word =
        (uint32_t)(tshm_load(&tshm_table_control_of(table)->control.head.word, acquire) & ~TSHM_HEAD_AWAITED);
    insist(tshm_announce_news_sleep(table, word) && tshm_news(table), "news from nobody");
    lock_handle lock = {.control = &tshm_table_control_of(table)->control, .presence_count = table->presence_count};
    if (lock_attach(&lock) == LOCK_TAKEN) {
        write_row(table, &lock, 0, value, back);
        write_row(table, &lock, last, value, back);
        write_row(table, &lock, last * next() / 256, value, back);
        uint64_t ticket = tshm_change(add, &tshm_table_control_of(table)->tickets, 1, relaxed);
        write_row(table, &lock, ticket % table->row_count, value, back);
    }
    free(value);
    free(back);
}

/* ---- inputs ---- */

static uint64_t inputs, trusted, tables;

static void report(void) {
    fprintf(stderr, "fuzz_header: %llu of %llu inputs were regions or tables, %llu of them tables\n",
            (unsigned long long)trusted, (unsigned long long)inputs, (unsigned long long)tables);
}

static void lay(uint64_t at, uint64_t there, const uint8_t *data, uint64_t size) {
    if (at < there)
        memcpy(memory + at, data, size < there - at ? size : there - at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!inputs++)
        atexit(report);
    if (size < SCRIPT + 256)
        return 0;
    memcpy(script, data, SCRIPT);
    step = 0;
    data += SCRIPT, size -= SCRIPT;
    uint64_t there = script[0] | (uint64_t)script[1] << 8 | (uint64_t)script[2] << 16;
    if (script[0] % 2) /* no byte more than the header claims */
        memcpy(&there, data + offsetof(tshm_header, region_size), sizeof there);
    there = there > CAPACITY ? CAPACITY : there;

    ASAN_UNPOISON_MEMORY_REGION(memory, CAPACITY);
    memset(memory, 0, there);
    size_t before = size < BEFORE ? size : BEFORE;
    lay(0, there, data, before);
    lay(sizeof(tshm_control), there, data + before, size - before); /* the presence table is not in the input */
    tshm_header header;
    if (there >= sizeof header) {
        memcpy((void *)&header, memory, sizeof header);
        header.check = tshm_header_check(&header);
        memcpy(memory, (void *)&header, sizeof header);
    }
    ASAN_POISON_MEMORY_REGION(memory + there, CAPACITY - there);

    tshm_table table;
    if (there >= sizeof(tshm_table_control) && !tshm_check_table(memory, UINT64_MAX, &header, &table))
        check_table_geometry(&header, &table, TSHM_SIZE_MAX);
    if (!tshm_check_table(memory, there, &header, &table)) {
        trusted++;
        tables++;
        check_table_geometry(&header, &table, there);
        presences = table.presence_count;
        memset(memory, script[3], sizeof(tshm_header)); /* nobody may look there again */
        use_table(&header, &table);
        return 0;
    }
    tshm_ring ring;
    /* were there more memory than can be had here, the limits of the format would still hold */
    if (there >= sizeof(tshm_control) && !tshm_check(memory, UINT64_MAX, &header, &ring))
        check_geometry(&header, &ring, TSHM_SIZE_MAX);
    const char *problem = tshm_check(memory, there, &header, &ring);
    if (problem)
        return -1; /* not worth keeping */
    trusted++;
    check_geometry(&header, &ring, there);
    presences = ring.presence_count;
    memset(memory, script[3], sizeof(tshm_header)); /* nobody may look there again */
    use(&header, &ring);
    return 0;
}

/* Where the numbers of a header lie, and how wide they are. */
static const struct {
    uint8_t offset, width;
} FIELDS[] = {{0, 8},  {8, 4},  {12, 4}, {16, 8},  {24, 8},  {32, 8},  {40, 8},  {48, 4},           {52, 4},
              {72, 8}, {80, 8}, {88, 8}, {104, 4}, {112, 8}, {120, 8}, {248, 4}, {0, 0} /* head */, {0, 1} /* word */};

static uint64_t boundary(const uint8_t *region, unsigned seed) {
    static const uint64_t values[] = {0,
                                      1,
                                      TSHM_LINE,
                                      640,
                                      sizeof(tshm_control),
                                      TSHM_PRESENCE_MAX,
                                      TSHM_SLOTS_MAX,
                                      1 << 16,
                                      TSHM_DOCUMENT_MAX,
                                      1ull << 32,
                                      TSHM_SIZE_MAX,
                                      1ull << 63};
    uint64_t value = values[seed % (sizeof values / sizeof *values)];
    if (seed & 0x100) /* or near another field */
        memcpy(&value, region + 16 + 8 * (seed % 14), 8);
    static const int64_t nearby[] = {0, 0, 1, -1, 8, -8, TSHM_LINE, -(int64_t)TSHM_LINE};
    return value + (uint64_t)nearby[(seed >> 9) % 8];
}

static size_t begin(uint8_t *data, size_t size, bool table, bool lossless) {
    tshm_header header = {0};
    header.magic = TSHM_MAGIC;
    header.format = TSHM_FORMAT;
    header.header_size = sizeof header;
    header.instance = 1;
    header.slot_count = 3;
    header.presence_count = 8;
    header.payload_size = 203;
    header.slot_stride = 384;
    header.document_offset = sizeof(tshm_control);
    header.document_size = 100;
    header.slots_offset = sizeof(tshm_control) + TSHM_LINE;
    header.region_size = header.slots_offset + 3 * header.slot_stride;
    if (table) {
        header.flags = TSHM_TABLE;
        header.slot_count = 2;
        header.slot_stride = 512;
        header.row_count = 70;
        header.document_offset = sizeof(tshm_table_control);
        header.stamps_offset = sizeof(tshm_table_control) + TSHM_LINE;
        header.slots_offset = header.stamps_offset + TSHM_LINE;
        header.region_size = header.slots_offset + 70 * header.slot_stride;
    }
    if (lossless) {
        header.flags = TSHM_LOSSLESS;
        header.document_offset = sizeof(tshm_lossless_control);
        header.slots_offset = sizeof(tshm_lossless_control) + TSHM_LINE;
        header.region_size = header.slots_offset + 3 * header.slot_stride;
    }
    memset(data, 0, SCRIPT + BEFORE);
    data[0] = 1;
    memcpy(data + SCRIPT, (void *)&header, sizeof header);
    if (lossless && size >= SCRIPT + BEFORE + PLACES) {
        memset(data + SCRIPT + BEFORE, 0, PLACES);
        return SCRIPT + BEFORE + PLACES;
    }
    return SCRIPT + BEFORE;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    if (max_size < SCRIPT + BEFORE)
        return LLVMFuzzerMutate(data, size, max_size);
    if (size < SCRIPT + BEFORE)
        return begin(data, max_size, seed % 2, seed % 4 == 2);
    uint8_t *region = data + SCRIPT;
    unsigned choice = seed % 20;
    seed = seed / 20 * 2654435761u >> 4;
    if (choice < 2)
        return LLVMFuzzerMutate(data, size, max_size);
    if (choice < 4)
        LLVMFuzzerMutate(data, SCRIPT, SCRIPT);
    else if (choice < 6) /* everything behind the header */
        return SCRIPT + 256 + LLVMFuzzerMutate(region + 256, size - SCRIPT - 256, max_size - SCRIPT - 256);
    for (unsigned changes = 1 + seed % 2; changes; changes--, seed = seed * 2654435761u + 1) {
        unsigned field = (seed >> 4) % (sizeof FIELDS / sizeof *FIELDS);
        uint64_t value = boundary(region, seed >> 8);
        if (FIELDS[field].width > 1)
            memcpy(region + FIELDS[field].offset, &value, FIELDS[field].width);
        else
            memcpy(region + (FIELDS[field].width ? 512 : 256), &value, 8);
    }
    tshm_header header;
    memcpy((void *)&header, region, sizeof header);
    if (header.flags == TSHM_LOSSLESS && size >= SCRIPT + BEFORE + PLACES) { /* places in use, of small numbers */
        uint64_t used = seed >> 3 & 0xff;
        memcpy(region + offsetof(tshm_control, writer) + offsetof(tshm_writer, followers), &used, sizeof used);
        uint8_t *place = region + BEFORE + TSHM_LINE + seed % 8 * TSHM_LINE;
        uint64_t role = (seed >> 11 & 3) | (uint64_t)(seed >> 13 & 7) << 32;
        uint32_t redelivers = seed >> 16 & 1;
        place[offsetof(tshm_follower, owner)] = seed >> 17 & 7;
        place[offsetof(tshm_follower, position)] = seed >> 20 & 7;
        place[offsetof(tshm_follower, keep)] = seed >> 23 & 1;
        memcpy(place + offsetof(tshm_follower, role), &role, sizeof role);
        memcpy(place + offsetof(tshm_follower, redelivers), &redelivers, sizeof redelivers);
    }
    if (seed & 0x20000) /* one thing behind the other */
        header.slots_offset = (header.document_offset + header.document_size + TSHM_LINE - 1) / TSHM_LINE * TSHM_LINE;
    uint64_t count = header.slot_count;
    if (header.flags & TSHM_TABLE) {
        count = header.row_count;
        if (seed & 0x20000) {
            header.stamps_offset = header.slots_offset;
            header.slots_offset += (count / 64 + 16) / 16 * TSHM_LINE;
        }
    }
    if (seed & 0x10000) /* as large as it has to be */
        header.region_size = header.slots_offset + count * header.slot_stride;
    memcpy(region, (void *)&header, sizeof header);
    return size;
}
