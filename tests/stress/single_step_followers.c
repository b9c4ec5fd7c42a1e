/* Kills a process at every instruction boundary of what it does in a lossless region, and looks whether every version
 * is accounted for.
 *
 *     single_step_followers FILE follow|leave|register|again|hand_out|redeliver|drop|claim [EVERY]
 *
 * As single_step.c does it; with EVERY, at one boundary of so many. The parent has a follower of its own and, where
 * there is a group, a member; after each death it writes on until all slots were written over more than once, and takes
 * steps only when a writer would have to wait for it. So what the dead one had is found: its place given up, or kept;
 * its version handed out again, or counted as lost. Prints one line of counts; those in capitals have to be 0. */
#define _GNU_SOURCE
#include "lock/lock.h"
#include "steps.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { SLOTS = 4, STRIDE = 256, PRESENCE = 8, WORDS = 4, GROUP = 1, BEGUN = 6, MORE = 10, VERSIONS = BEGUN + MORE + 2 };

static const char *path;
static tshm_ring ring;
static lock_handle lock;
static uint64_t now;
static volatile uint64_t *reached;             /* the version that the child had handed out and read; shared with it */
static uint32_t mine, member = TSHM_FOLLOWERS; /* the parent's places */
static uint32_t theirs;                        /* the child's, registered by itself before it is led */
static long got[VERSIONS], handed[VERSIONS];   /* how often the parent's follower, and its member, got each version */

static struct {
    long held, used, had, published, claimed, missed, twice, lost, stuck, left, refused;
} count;

static tshm_control *control(void) {
    return tshm_control_of(&ring);
}

static void make_region(void) {
    size_t size = sizeof(tshm_lossless_control) + SLOTS * STRIDE;
    ring.base = make_memory(path, size);
    ring.slots_offset = sizeof(tshm_lossless_control);
    ring.slot_stride = STRIDE;
    ring.payload_size = 8 * WORDS;
    ring.slot_count = SLOTS;
    ring.presence_count = PRESENCE;
    ring.lossless = 1;
}

/* As a new process, which has nothing of its parent's. */
static void join(lock_handle *handle) {
    handle->control = control();
    handle->presence_count = PRESENCE;
    handle->peers.fd = open(path, O_RDWR | O_CLOEXEC);
    if (handle->peers.fd < 0)
        fail("open");
    if (lock_attach(handle) != LOCK_TAKEN)
        fail("lock_attach");
}

static void take(lock_handle *handle, lock_word *word) {
    word->word = &control()->writer.word;
    if (lock_try(handle, word) < 0)
        _exit(1);
}

static uint64_t name_of(const lock_handle *handle) {
    return (handle->entry + 1) | TSHM_WORD_GENERATION(handle->generation);
}

/* ---- what is done ---- */

static uint32_t place_of(uint64_t role, uint64_t owner, uint64_t position, uint64_t keep) {
    uint32_t place = tshm_find_place(&ring);
    tshm_follower *follower = tshm_follower_at(&ring, place);
    tshm_store(&follower->keep, keep, relaxed);
    follower->redelivers = 0;
    tshm_take_place(&ring, place, role, owner, position);
    return place;
}

static uint32_t enter(lock_handle *handle, uint64_t role, uint64_t position, uint64_t keep) {
    lock_word word = {0};
    take(handle, &word);
    uint32_t place = place_of(role, name_of(handle), position, keep);
    if (lock_release(handle, &word, true) != LOCK_TAKEN)
        _exit(1);
    return place;
}

static int read_at(const tshm_cursor *cursor) {
    uint64_t words[WORDS];
    tshm_copy_out(words, cursor->payload, sizeof words);
    for (uint64_t i = 0; i < WORDS; i++)
        if (words[i] != cursor->sequence * 1000003 + i)
            return 0;
    return !tshm_read_retry(cursor);
}

static uint64_t follow(uint32_t place) {
    tshm_cursor cursor;
    tshm_follower *follower = tshm_follower_at(&ring, place);
    if (tshm_next_awaited(&ring, tshm_load(&follower->position, relaxed), &cursor) != TSHM_READABLE ||
        !read_at(&cursor))
        return 0;
    if (tshm_got_it(&ring, follower, cursor.sequence))
        os_word_wake_all(NULL, control(), (void *)&tshm_lossless_of(&ring)->room.word);
    return cursor.sequence;
}

static uint64_t hand_out(lock_handle *handle, uint32_t *place) {
    tshm_cursor cursor;
    if (!tshm_group_lock(&ring, GROUP, tshm_name_in_group(name_of(handle), *place), lock_alive, handle))
        return 0;
    int state = tshm_hand_out(&ring, GROUP, place, 1, lock_alive, handle, &cursor);
    tshm_group_unlock(&ring, GROUP);
    if (state != TSHM_READABLE || !read_at(&cursor))
        return 0;
    if (handle != &lock)
        *reached = cursor.sequence;
    if (tshm_got_it(&ring, tshm_follower_at(&ring, *place), 0))
        os_word_wake_all(NULL, control(), (void *)&tshm_lossless_of(&ring)->room.word);
    return cursor.sequence;
}

/* With the lock held. */
static int write_one(lock_handle *handle, uint64_t *blocked) {
    tshm_cursor cursor = {0};
    int state = tshm_write_begin(&ring, lock_alive, handle, &cursor);
    *blocked = cursor.sequence;
    if (state != TSHM_WRITABLE)
        return state;
    uint64_t words[WORDS];
    for (uint64_t i = 0; i < WORDS; i++)
        words[i] = cursor.sequence * 1000003 + i;
    tshm_copy_in(cursor.payload, words, sizeof words);
    (void)tshm_write_end(&ring, &cursor, now);
    return state;
}

static void write_begun(uint64_t versions) {
    lock_word word = {0};
    uint64_t blocked;
    take(&lock, &word);
    for (uint64_t i = 0; i < versions; i++)
        if (write_one(&lock, &blocked) != TSHM_WRITABLE)
            fail("cannot write");
    if (lock_release(&lock, &word, true) != LOCK_TAKEN)
        fail("the lock");
}

/* ---- the child ---- */

static void child(const char *deed) {
    lock_handle handle = {0};
    lock_word word = {0};
    uint64_t blocked;
    close(lock.peers.fd); /* through the parent's description we would be the parent */
    join(&handle);
    uint64_t head = tshm_newest(&ring);
    uint32_t place = TSHM_FOLLOWERS;
    if (strcmp(deed, "follow") == 0 || strcmp(deed, "leave") == 0)
        place = enter(&handle, TSHM_FOLLOWER, head - 2, 0);
    if (strcmp(deed, "hand_out") == 0 || strcmp(deed, "redeliver") == 0)
        place = enter(&handle, tshm_member_of(GROUP), 0, 0);
    be_led();
    if (strcmp(deed, "follow") == 0 && !follow(place))
        _exit(1);
    if (strcmp(deed, "leave") == 0)
        (void)tshm_leave_place(&ring, tshm_follower_at(&ring, place), 0);
    if (strcmp(deed, "register") == 0) {
        take(&handle, &word);
        place_of(TSHM_FOLLOWER, name_of(&handle), tshm_oldest(&ring), 0);
    }
    if (strcmp(deed, "again") == 0) {
        take(&handle, &word);
        tshm_take_again(&ring, theirs, name_of(&handle));
    }
    if ((strcmp(deed, "hand_out") == 0 || strcmp(deed, "redeliver") == 0) && !hand_out(&handle, &place))
        _exit(1);
    if (strcmp(deed, "drop") == 0) {
        take(&handle, &word);
        if (write_one(&handle, &blocked) != TSHM_AWAITED)
            _exit(1);
        (void)tshm_drop_followers(&ring, blocked, lock_alive, &handle, now);
    }
    if (strcmp(deed, "claim") == 0) {
        take(&handle, &word);
        if (tshm_claimed(&ring, lock_alive, &handle))
            _exit(1);
        tshm_claim(&ring);
        if (write_one(&handle, &blocked) != TSHM_WRITABLE)
            _exit(1);
        tshm_unclaim(&ring);
    }
    if (word.held && lock_release(&handle, &word, true) != LOCK_TAKEN)
        _exit(1);
    be_done();
}

/* ---- the parent ---- */

static bool has_group(const char *deed) {
    return strcmp(deed, "hand_out") == 0 || strcmp(deed, "redeliver") == 0 || strcmp(deed, "drop") == 0;
}

/* Before a death: a region with BEGUN versions, of which the parent's follower has got all but two. */
static void prepare(const char *deed) {
    tshm_writer *writer = &control()->writer;
    memset((void *)tshm_follower_at(&ring, 0), 0, TSHM_FOLLOWERS * sizeof(tshm_follower));
    memset(ring.base + ring.slots_offset, 0, SLOTS * STRIDE);
    tshm_store(&control()->head.word, 0, relaxed);
    tshm_store(&writer->followers, 0, relaxed);
    tshm_store(&writer->low_mark, 0, relaxed);
    tshm_store(&writer->exclusive, 0, relaxed);
    *reached = 0;
    memset(got, 0, sizeof got);
    memset(handed, 0, sizeof handed);
    write_begun(BEGUN);
    lock_word word = {0};
    take(&lock, &word);
    mine = place_of(TSHM_FOLLOWER, name_of(&lock), BEGUN - 2, 0);
    member = TSHM_FOLLOWERS;
    if (has_group(deed)) {
        uint32_t place = place_of(TSHM_GROUP, 0, BEGUN - 2, 0);
        if (place != GROUP)
            fail("the group's place");
        tshm_follower_at(&ring, GROUP)->redelivers = strcmp(deed, "redeliver") == 0;
        member = place_of(tshm_member_of(GROUP), name_of(&lock), 0, 0);
    }
    uint64_t dead = PRESENCE; /* the last entry, which nobody has */
    theirs = TSHM_FOLLOWERS;
    if (strcmp(deed, "again") == 0)
        theirs = place_of(TSHM_FOLLOWER, dead, BEGUN - 2, 1000);
    if (strcmp(deed, "redeliver") == 0 || strcmp(deed, "drop") == 0) { /* one that died with a version */
        theirs = place_of(tshm_member_of(GROUP), dead, 0, 0);
        tshm_store(&tshm_follower_at(&ring, theirs)->position, BEGUN - 1, relaxed);
        tshm_store(&tshm_follower_at(&ring, GROUP)->position, BEGUN - 1, relaxed);
    }
    if (strcmp(deed, "drop") == 0) { /* what is awaited is what the dead have */
        (void)place_of(TSHM_FOLLOWER, dead, BEGUN - 2, 0);
        tshm_store(&tshm_follower_at(&ring, GROUP)->position, BEGUN, relaxed);
        tshm_store(&tshm_follower_at(&ring, mine)->position, BEGUN, relaxed);
        got[BEGUN - 1] = got[BEGUN] = 1;
    }
    if (lock_release(&lock, &word, true) != LOCK_TAKEN)
        fail("the lock");
    if (strcmp(deed, "drop") == 0)
        write_begun(SLOTS - 2);
    tshm_store(&tshm_lossless_of(&ring)->room.word, TSHM_HEAD_AWAITED, relaxed); /* so that wake-ups are part of it */
}

/* How far the parent's follower and member get, where a writer would have to wait for them. */
static bool step(void) {
    uint64_t sequence = follow(mine);
    if (sequence && sequence < VERSIONS)
        got[sequence]++;
    uint64_t other = member == TSHM_FOLLOWERS ? 0 : hand_out(&lock, &member);
    if (other && other < VERSIONS)
        handed[other]++;
    return sequence || other;
}

/* After it: write on, and see what became of each version. */
static void look(const char *deed) {
    uint64_t begin = has_group(deed) ? tshm_load(&tshm_follower_at(&ring, GROUP)->position, relaxed) : 0;
    uint64_t used = tshm_used_places(&ring), with_dead = 0, counted = 0;
    for (uint32_t i = 0; has_group(deed) && i < TSHM_FOLLOWERS;
         i++) { /* what somebody has who died, and was handed out */
        tshm_follower *other = tshm_follower_at(&ring, i);
        uint64_t had = tshm_load(&other->position, relaxed);
        if (!(used >> i & 1) || !tshm_is_member(other, GROUP) || had == 0 || had > begin)
            continue;
        if (tshm_load(&other->lost, relaxed) && tshm_load(&tshm_follower_at(&ring, GROUP)->lost, relaxed))
            counted = 1; /* its count is there, and has only to end */
        with_dead = had;
    }
    count.had += with_dead != 0;
    if (strcmp(deed, "hand_out") == 0) /* nobody has it, though it was handed out */
        count.missed += begin > BEGUN - 2 && with_dead != begin && *reached != begin;
    count.held += (tshm_load(&control()->writer.word, relaxed) & TSHM_WORD_OWNER) != 0;
    count.claimed += tshm_load(&control()->writer.exclusive, relaxed) != 0;
    count.used += __builtin_popcountll(used);
    uint64_t head = tshm_newest(&ring), blocked, lost = has_group(deed) ? tshm_follower_at(&ring, GROUP)->lost : 0;
    count.published += head > BEGUN && strcmp(deed, "drop") != 0;
    lock_word word = {0};
    word.word = &control()->writer.word;
    if (lock_try(&lock, &word) < 0) {
        count.stuck++;
        return;
    }
    for (int tries = 0; tshm_newest(&ring) < BEGUN + MORE && tries < 100; tries++) {
        int state = write_one(&lock, &blocked);
        if (state == TSHM_AWAITED) {
            now += 400; /* what is kept, is kept for 1000 */
            if (tshm_drop_followers(&ring, blocked, lock_alive, &lock, now) != TSHM_FOLLOWERS)
                (void)step();
        } else {
            count.refused += state != TSHM_WRITABLE;
        }
    }
    count.stuck += tshm_newest(&ring) < BEGUN + MORE;
    for (int i = 0; i < 2 * VERSIONS && step(); i++)
        ;
    (void)tshm_drop_followers(&ring, TSHM_SEQUENCE_MAX, lock_alive, &lock, now);
    (void)tshm_drop_followers(&ring, TSHM_SEQUENCE_MAX, lock_alive, &lock, now + 2000);
    for (int i = 0; i < 2 && member != TSHM_FOLLOWERS; i++)
        (void)step();
    if (lock_release(&lock, &word, true) != LOCK_TAKEN)
        count.stuck++;
    uint64_t last = tshm_newest(&ring);
    for (uint64_t version = BEGUN - 1; version <= last; version++) {
        count.missed += got[version] == 0;
        count.twice += got[version] > 1;
        if (!has_group(deed))
            continue;
        bool again = strcmp(deed, "redeliver") == 0 && version == with_dead;
        count.missed += (version > begin || again) && handed[version] == 0;
        count.twice += handed[version] > ((version > begin || again) ? 1 : 0);
    }
    if (has_group(deed) && strcmp(deed, "redeliver") != 0) /* counted once */
        count.lost += tshm_follower_at(&ring, GROUP)->lost != lost + (with_dead != 0) - counted;
    uint64_t mine_only = 1ull << mine;
    if (has_group(deed))
        mine_only |= 1ull << GROUP | 1ull << member;
    count.left += (tshm_used_places(&ring) & ~mine_only) != 0;
    count.left += tshm_load(&control()->writer.exclusive, relaxed) != 0;
}

int main(int arguments, char **argument) {
    if (arguments != 3 && arguments != 4)
        return 2;
    long every = arguments == 4 ? atol(argument[3]) : 1;
    path = argument[1];
    const char *deed = argument[2];
    void *shared = mmap(NULL, sizeof *reached, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        fail("mmap");
    reached = shared;
    make_region();
    join(&lock);
    bool done = false;
    long steps = 0;
    for (; !done && count.missed + count.twice + count.lost + count.stuck + count.left + count.refused < 5;
         steps += every) {
        if (steps >= STEPS_MAX)
            return CANNOT;
        now = 1000000;
        prepare(deed);
        pid_t pid = fork();
        if (pid < 0)
            fail("fork");
        if (pid == 0)
            child(deed);
        done = lead(pid, steps);
        end_child(pid);
        look(deed);
    }
    printf("boundaries=%ld held=%ld used=%ld had=%ld published=%ld claimed=%ld MISSED=%ld TWICE=%ld LOST=%ld STUCK=%ld "
           "LEFT=%ld REFUSED=%ld\n",
           steps / every, count.held, count.used, count.had, count.published, count.claimed, count.missed, count.twice,
           count.lost, count.stuck, count.left, count.refused);
    unlink(path);
    return 0;
}
