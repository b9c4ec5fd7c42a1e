/* Following a table: tshm_row_stamp among the steps of a write, tshm_epoch_step among those of who looks for changes.
 *
 * WRITERS writers publish up to ROUNDS versions each, of whatever row they like, or give a write up. They are killed before any
 * statement, KILLS times in all, and go on as new processes; what the dead had is taken over (that this is right is
 * row.pml's business: here a dead owner's word says so). FOLLOWERS followers look for changes STEPS times whenever they
 * like, and once more when no writer does anything any more; between looks, OTHERS times, another follower, that is not
 * looked at, raises the epoch. With -DBLOCKS=1 both rows share a stamp. With -DREAD_ONLY a follower may not raise the
 * epoch: it loads it, compares marks with those it has seen, and looks at rows whose 64 are stamped with at least the
 * epoch of its last look. The first look goes through all stamped rows; with -DSTART_NOW it reports nothing, as for
 * somebody who wants what is published from then on.
 *
 * What is checked: after its last look, each follower has reported the newest version of each row; nobody stores to the
 * stamp of a block, which rows have in common, unless the epoch was raised since.
 *
 * Harmless are: UNSURE_LAST (unsure rows are looked at after the stamped ones)  MARK_BEFORE_OWNER (the newest mark is
 * read before the owner; but with READ_ONLY it is a mistake)  STAMP_OWN_LATE (the row is stamped with an epoch loaded
 * once more).
 * Each of these is a mistake and must fail. The writer's:
 *   NO_LOOP (no second look at the epoch)  STAMP_LATE (stamps the block after it)  STORE_STAMP (stores the stamp, whatever
 *   it was)  TAKE_LATE (takes the row after it stamped the block)  OWN_LATE (stamps the row after it published)
 *   NO_OWN (does not stamp the row)  STAMP_ALWAYS (stamps the block though it is stamped)
 * the follower's:
 *   NO_UNSURE (forgets rows that were held)  HELD_SILENT (rows that are held are not reported, but unsure)
 *   STAMP_FIRST (reads a row's stamp before its mark)  OWNER_LAST (reads its owner last)
 *   UNSURE_MARK_FIRST (of an unsure row, reads the mark before the owner)  FORGET (a row that is unsure already is
 *   remembered with the mark it has by now)  DROP_UNMOVED (drops an unsure row that has not moved, free or not)
 *   RAISE_LATE (raises the epoch after it looked)  NEXT_OF_END (asks next time for what is stamped after the end of
 *   this look)  NEXT_TOO_LATE (asks next time for one epoch more)  FIRST_STAMPED (looks first at what is stamped from
 *   now on, with START_NOW)
 * and with READ_ONLY:
 *   FORGET_HELD (forgets rows that were held)  MARK_BEFORE_OWNER  NEXT_AS_RAISED (asks next time for what is stamped
 *   after the epoch that it loaded, as who raises it may)
 */
#ifndef ROWS
#define ROWS 2
#endif
#ifndef BLOCKS
#define BLOCKS 2
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef FOLLOWERS
#define FOLLOWERS 1
#endif
#ifndef STEPS
#define STEPS 2
#endif
#ifndef OTHERS
#define OTHERS 0
#endif
#define BLOCK(row) ((row) % BLOCKS)
#define DEAD 255

typedef Row { byte owner; byte stamp; byte version } /* version: that of the newest even mark */
typedef Follower { byte reported[ROWS]; byte mark[ROWS]; bool unsure[ROWS] } /* mark: of an unsure row, or the last seen */

byte epoch = 1;
byte stamp[BLOCKS];
Row rows[ROWS];
bool killed[WRITERS + 1];

/* What only the checks know. */
byte rounds[WRITERS + 1]; /* outlive their writers */
byte busy;                /* writers that are not done */
Follower follower[FOLLOWERS];

#define MY_ROW rows[row]
#define MY_STAMP stamp[BLOCK(row)]

inline take() {
    d_step { (MY_ROW.owner == 0 || MY_ROW.owner == DEAD) -> MY_ROW.owner = id }
}

inline raise_stamp() {
#ifdef STORE_STAMP
    MY_STAMP = before
#else
    do
    :: true ->
        seen = MY_STAMP;
#ifdef STAMP_ALWAYS
        if :: seen > before -> break :: else fi;
#else
        if :: seen >= before -> break :: else fi;
#endif
        d_step { if :: MY_STAMP == seen -> assert(MY_STAMP < before); MY_STAMP = before :: else fi }
    od;
    seen = 0
#endif
}

proctype Writer(byte id) {
    byte row, before, now, seen;
    bool publishes;
born: {
    do
    :: rounds[id] < ROUNDS ->
        if
        :: row = 0
#if ROWS > 1
        :: row = 1
#endif
        fi;
#ifndef TAKE_LATE
        take();
#endif
        /* ---- tshm_row_stamp ---- */
        now = epoch;
        do
        :: true ->
            before = now;
#ifndef STAMP_LATE
            raise_stamp();
#endif
#ifdef NO_LOOP
            break
#else
            now = epoch;
            if :: now == before -> break :: else fi
#endif
        od;
#ifdef STAMP_LATE
        raise_stamp();
#endif
#ifdef TAKE_LATE
        take();
#endif
#ifdef STAMP_OWN_LATE
        before = epoch;
#endif
#ifndef NO_OWN
#ifndef OWN_LATE
        MY_ROW.stamp = before;
#endif
#endif
        /* ---- tshm_row_write_end, or an exception ---- */
        if
        :: d_step { publishes = true; MY_ROW.version++; rounds[id]++ }
        :: d_step { publishes = false; rounds[id]++ }
        fi;
#ifdef OWN_LATE
        MY_ROW.stamp = before;
#endif
        d_step { MY_ROW.owner = 0; row = 0; before = 0; now = 0; publishes = false }
    :: break /* has nothing to write any more */
    od;
    busy--;
    goto end_done
} unless {
    killed[id] ->
    d_step {
        killed[id] = false;
        if :: MY_ROW.owner == id -> MY_ROW.owner = DEAD :: else fi;
        row = 0; before = 0; now = 0; seen = 0; publishes = false
    };
    goto born
}
end_done:
    skip
}

#define MINE follower[id]

#ifdef READ_ONLY
#define REPORT(version) MINE.reported[row] = version; MINE.mark[row] = version
#else
#define REPORT(version) MINE.reported[row] = rows[row].version /* what is handed out is read now */
#endif

inline look_at_unsure() {
    row = 0;
    do
    :: row < ROWS && !MINE.unsure[row] -> row++
    :: row < ROWS && MINE.unsure[row] ->
#ifdef UNSURE_MARK_FIRST
        version = rows[row].version;
        owner = rows[row].owner;
#else
        owner = rows[row].owner;
        version = rows[row].version;
#endif
        d_step {
#ifdef DROP_UNMOVED
            owner = (version == MINE.mark[row] -> 0 : owner);
#endif
            if :: version != MINE.mark[row] -> REPORT(version); MINE.mark[row] = version :: else fi;
            if :: owner == 0 -> MINE.unsure[row] = false :: else fi;
            owner = 0; version = 0; row++
        }
    :: row == ROWS -> break
    od;
    row = 0
}

inline look_at_row() {
#ifdef READ_ONLY
#ifdef MARK_BEFORE_OWNER
    version = rows[row].version;
    owner = rows[row].owner;
#else
    owner = rows[row].owner;
    version = rows[row].version;
#endif
    d_step {
        if :: version != MINE.mark[row] -> REPORT(version) :: else fi;
#ifndef FORGET_HELD
        if :: owner != 0 -> MINE.unsure[row] = true :: else fi
#endif
    }
#else
#ifdef MARK_BEFORE_OWNER
    version = rows[row].version;
    owner = rows[row].owner;
    its = rows[row].stamp;
#else
#ifdef STAMP_FIRST
    owner = rows[row].owner;
    its = rows[row].stamp;
    version = rows[row].version;
#else
#ifdef OWNER_LAST
    version = rows[row].version;
    its = rows[row].stamp;
    owner = rows[row].owner;
#else
    owner = rows[row].owner;
    version = rows[row].version;
    its = rows[row].stamp;
#endif
#endif
#endif
    d_step {
        if
#ifdef HELD_SILENT
        :: its >= since && owner == 0 -> REPORT(version)
#else
        :: its >= since && !silent -> REPORT(version)
        :: its >= since && silent -> MINE.reported[row] = version /* begins here */
#endif
        :: else
        fi;
#ifndef NO_UNSURE
        if
#ifdef FORGET
        :: owner != 0 ->
#else
        :: owner != 0 && !MINE.unsure[row] ->
#endif
            MINE.unsure[row] = true; MINE.mark[row] = version
        :: else
        fi
#endif
    }
#endif
}

inline raise_epoch() {
#ifdef READ_ONLY
    ended = epoch
#else
    d_step { ended = epoch; epoch++ }
#endif
}

inline look() {
#ifndef UNSURE_LAST
    look_at_unsure();
#endif
#ifndef RAISE_LATE
    raise_epoch();
#endif
#ifdef FIRST_STAMPED
    if :: silent -> since = ended + 1 :: else fi;
#endif
    block = 0;
    do
    :: block < BLOCKS ->
        its = stamp[block];
        if
        :: its >= since && its != 0 ->
            row = block;
            do
            :: row < ROWS -> look_at_row(); row = row + BLOCKS
            :: else -> break
            od
        :: else
        fi;
        block++
    :: else -> break
    od;
#ifdef UNSURE_LAST
    look_at_unsure();
#endif
#ifdef RAISE_LATE
    raise_epoch();
#endif
    skip; /* spin does not jump into a d_step */
    d_step {
        block = 0; row = 0; owner = 0; version = 0; its = 0; silent = false;
#ifdef READ_ONLY
        since = ended;
#ifdef NEXT_AS_RAISED
        since++;
#endif
#else
        since = ended + 1;
#endif
#ifdef NEXT_OF_END
        since = epoch;
#endif
#ifdef NEXT_TOO_LATE
        since++;
#endif
        ended = 0
    }
}

proctype Watcher(byte id) {
    byte since, ended, block, row, owner, version, its, steps;
    bool silent;
#ifdef START_NOW
    silent = true;
#endif
    do
    :: steps < STEPS -> look(); steps++
    :: busy == 0 -> break
    od;
    look();
    d_step {
        row = 0;
        do :: row < ROWS -> assert(MINE.reported[row] >= rows[row].version); row++ :: else -> break od
    }
}

proctype Other() {
    byte steps;
    do
    :: steps < OTHERS -> d_step { epoch++; steps++ }
    :: break
    od
}

proctype Killer() {
    byte kills;
    do
    :: kills < KILLS ->
        kills++;
        if
        :: killed[1] = true
#if WRITERS > 1
        :: killed[2] = true
#endif
        fi
    :: break
    od
}

init {
    atomic {
        busy = WRITERS;
        run Writer(1);
#if WRITERS > 1
        run Writer(2);
#endif
        run Watcher(0);
#if FOLLOWERS > 1
        run Watcher(1);
#endif
#if OTHERS > 0
        run Other();
#endif
#if KILLS > 0
        run Killer()
#endif
    }
}
