/* The news of a table: tshm_news after a row was given back, tshm_announce_news_sleep before a sleep on it.
 *
 * WRITERS writers publish ROUNDS versions each, of a row of their own; then each looks whether somebody sleeps on the
 * news. They are killed before any statement, KILLS times in all, and go on as new processes. SLEEPERS sleepers look
 * at all rows, one after the other, sleep while there is nothing new, and end when they have seen the last versions, or
 * leave for good, before they sleep or while they do. A look is a look at versions here: how who looks for changes
 * finds all of them is epoch.pml's business. What the orders do is in litmus/news.
 *
 * What is checked: a sleeper is woken by who publishes something that it has not seen, unless a writer was killed between
 * its publication and the end of its wake-up, and then the end of its slice wakes it; nobody sleeps for ever; nobody
 * stores to the news unless somebody has announced a sleep since the last time.
 *
 * Harmless are: ONE_TRY (a writer whose compare-and-swap failed leaves it at that: another raised the number)
 * ANY_NUMBER (announces with whatever number there is by then, and sleeps on that: it looks again anyway)
 * NO_FIRST (looks only after it has announced itself)  ONLY_NUMBER (sleeps though the W bit is gone, if the number is
 * the same).
 * Each of these is a mistake and must fail:
 *   NO_SECOND (does not look again after it has announced itself)  NO_ANNOUNCEMENT (sleeps without W)  STORE_W (announces
 *   by a plain store)  NO_COMPARE (goes to sleep whatever the news are by then)  TAKE_BACK (who no longer sleeps clears
 *   W)  NO_SLICE (sleeps until woken)
 *   LOOK_EARLY (the writer looks at the news before it publishes)  RAISE_ALWAYS (raises the number, W or not)  SAME_NUMBER
 *   (clears W, and leaves the number)  KEEP_W (raises the number, and leaves W)  WAKE_EARLY (wakes before it raises
 *   the number)  STORE_NUMBER (raises the number by a plain store)
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef SLEEPERS
#define SLEEPERS 1
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#define W 1
#define NUMBER(word) ((word) & ~W)
#ifdef SAME_NUMBER
#define STEP 0
#else
#define STEP 2
#endif
#ifdef KEEP_W
#define KEPT W
#else
#define KEPT 0
#endif
#if WRITERS == 1
#define IS_NEW (version[0] != MINE.got[0])
#define IS_LAST (MINE.got[0] == ROUNDS)
#else
#define IS_NEW (version[0] != MINE.got[0] || version[1] != MINE.got[1])
#define IS_LAST (MINE.got[0] == ROUNDS && MINE.got[1] == ROUNDS)
#endif

typedef Got { byte got[WRITERS] }

byte news; /* number << 1 | W */
byte version[WRITERS];
bool killed[WRITERS], asleep[SLEEPERS];

/* What only the checks know. */
byte waking;            /* writers that have published, and not yet seen to the sleepers */
bool excused[SLEEPERS]; /* since it looked last, a writer died that was to wake */
bool announced;         /* since the number was last raised */

#define MINE sleeper[id]
Got sleeper[SLEEPERS];

inline wake_all() {
    d_step { i = 0; do :: i < SLEEPERS -> asleep[i] = false; i++ :: else -> break od; i = 0 }
}

inline publish() {
    d_step { version[id]++; published = true; waking++ }
}

inline raise_number() {
    d_step {
#ifdef STORE_NUMBER
        done = true;
#else
        done = news == seen;
#endif
        if
        :: done -> assert(announced); announced = false; news = (NUMBER(seen) + STEP) | KEPT
        :: else -> seen = news
        fi
    }
}

active [WRITERS] proctype Writer() {
    byte seen, i, id = _pid;
    bool done, published;
begin: {
    do
    :: version[id] < ROUNDS ->
#ifdef LOOK_EARLY
        seen = news;
#endif
        publish(); /* and the row is given back */
        /* ---- tshm_news ---- */
#ifndef LOOK_EARLY
        seen = news;
#endif
        do
#ifdef RAISE_ALWAYS
        :: true ->
#else
        :: (seen & W) != 0 ->
#endif
#ifdef WAKE_EARLY
            wake_all();
            raise_number();
            if :: done -> break :: else fi
#else
            raise_number();
#ifdef ONE_TRY
            if :: !done -> break :: else fi;
#endif
            if :: done -> wake_all(); break :: else fi
#endif
        :: (seen & W) == 0 -> break
        od;
        skip; /* spin does not jump into a d_step */
        d_step { waking--; published = false; seen = 0; done = false }
    :: else -> break
    od
} unless {
    killed[id] ->
    d_step {
        killed[id] = false;
        if
        :: published ->
            waking--; published = false; i = 0;
            do :: i < SLEEPERS -> excused[i] = true; i++ :: else -> break od
        :: else
        fi;
        i = 0; seen = 0; done = false
    };
    goto begin
}
}

inline look() { /* `found` says if there was anything new */
    i = 0;
    do
    :: i < WRITERS -> d_step { found = found || version[i] != MINE.got[i]; MINE.got[i] = version[i]; i++ }
    :: else -> i = 0; break
    od
}

active [SLEEPERS] proctype Sleeper() {
    byte number, seen, i, id = _pid - WRITERS;
    bool found, impatient;
    do
    :: !IS_LAST ->
        number = NUMBER(news);
#ifndef NO_FIRST
        look();
        if :: found -> goto again :: else fi;
#endif
        /* ---- tshm_announce_news_sleep ---- */
#ifndef NO_ANNOUNCEMENT
        seen = news;
        do
#ifdef ANY_NUMBER
        :: NUMBER(seen) != number -> number = NUMBER(seen)
#else
        :: NUMBER(seen) != number -> goto again
#endif
        :: NUMBER(seen) == number ->
            d_step {
#ifdef STORE_W
                found = true;
#else
                found = news == seen;
#endif
                if :: found -> news = seen | W; announced = true :: else -> seen = news fi
            };
            if :: found -> break :: else fi
        od;
        found = false;
#endif
        excused[id] = false;
#ifndef NO_SECOND
        look();
        if :: found -> goto no_longer :: else fi;
#endif
        if :: true :: impatient = true :: goto left fi;
        /* ---- the kernel compares, and sleeps ---- */
        d_step {
            if
#ifdef NO_COMPARE
            :: true ->
#else
#ifdef NO_ANNOUNCEMENT
            :: NUMBER(news) == number ->
#else
#ifdef ONLY_NUMBER
            :: NUMBER(news) == number ->
#else
            :: news == (number | W) ->
#endif
#endif
#endif
                asleep[id] = true
            :: else
            fi
        };
        if
        :: !asleep[id]
        :: asleep[id] && impatient -> goto left /* its time is over, or it is killed */
#ifndef NO_SLICE
        /* The slice is over. One that is over with nothing new changes nothing: left out, so that a sleeper for whom
           there will never be anything new is found as a deadlock. */
        :: d_step { asleep[id] && IS_NEW -> assert(waking > 0 || excused[id]) }
#endif
        fi;
no_longer:
        skip; /* spin does not jump into a d_step */
#ifdef TAKE_BACK
        d_step { if :: news == (number | W) -> news = number; announced = false :: else fi };
#endif
again:  skip;
        d_step { asleep[id] = false; excused[id] = false; impatient = false; found = false; number = 0; seen = 0; i = 0 }
    :: IS_LAST -> break
    od;
left:
    skip;
#ifdef TAKE_BACK
    d_step { if :: news == (number | W) -> news = number; announced = false :: else fi };
#endif
    d_step { asleep[id] = false; excused[id] = false; impatient = false; found = false; number = 0; seen = 0; i = 0 }
}

active proctype Killer() {
    byte kills;
    do
    :: kills < KILLS ->
        kills++;
        if
        :: killed[0] = true
#if WRITERS > 1
        :: killed[1] = true
#endif
        fi
    :: break
    od
}
