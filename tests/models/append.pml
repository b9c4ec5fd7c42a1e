/* Appending to a table: tickets that go round, and the row of each.
 *
 * APPENDERS appenders draw TICKETS tickets in all, in any order of speed: one may be overtaken by another that has the
 * same row a lap later. They are killed before any statement, KILLS times in all, and go on as new processes, without
 * their ticket. A row keeps two versions, whose payload is the ticket it was appended with, and is written by
 * tshm_row_write_begin and tshm_row_write_end; its lock is row.pml's business: here a dead owner's word says so. The
 * number of tickets drawn is raised before the row is written; the first ticket is 1 here, so that 0 is no ticket.
 *
 * What is checked: a row never goes back to an earlier lap; who drops its ticket does so for somebody who had a later
 * one, and wrote or died; whoever dies leaves a row as it was, or as it has written it: a hole keeps the earlier lap;
 * no two draw the same ticket; of the last lap each ticket is in its row, unless its appender died.
 *
 * TICKET_FIRST (the ticket is stored before the row is marked) is harmless, but makes more tickets of an earlier lap drop
 * for somebody who then dies. Each of these is a mistake and must fail:
 *   NOT_COMPARED (writes whatever the row's ticket is)  COMPARE_EARLY (compares before it takes the row)  TICKET_LATE
 *   (the ticket is stored after the version is published: who dies in between lets an earlier lap write over it)
 *   NO_TICKET (the ticket is not stored)  LOAD_TICKETS (tickets are drawn by a load and a store)  KEEPS_ROW (who drops
 *   its ticket does not give the row back)  NEWEST_SLOT (writes over the newest version)
 */
#ifndef ROWS
#define ROWS 1
#endif
#ifndef APPENDERS
#define APPENDERS 2
#endif
#ifndef TICKETS
#define TICKETS 4
#endif
#ifndef KILLS
#define KILLS 1
#endif
#define DEAD 255

typedef Version { byte mark; byte payload }
typedef Row { byte owner; byte ticket; Version slot[2] }

byte tickets; /* drawn */
Row rows[ROWS];
bool killed[APPENDERS + 1];

/* What only the checks know. */
byte newest[ROWS];       /* the ticket last published in each row */
bool drawn[TICKETS + APPENDERS + 1];
bool died[TICKETS + APPENDERS + 1];
byte ended;

#define MY_ROW rows[row]
#define IS_NEWEST(slot) (slot.mark % 2 == 0 && slot.payload == newest[row])
/* what a reader of the row gets: the version with the larger even mark */
#define NEWEST_OF(row) \
    (rows[row].slot[0].mark % 2 == 1 || (rows[row].slot[1].mark > rows[row].slot[0].mark && \
     rows[row].slot[1].mark % 2 == 0) -> rows[row].slot[1].payload : rows[row].slot[0].payload)

inline store_ticket() {
#ifndef NO_TICKET
    MY_ROW.ticket = ticket
#else
    skip
#endif
}

inline publish() {
    d_step {
        MY_ROW.slot[at].mark = 2 * number;
        assert(ticket > newest[row]);
        newest[row] = ticket;
        assert(NEWEST_OF(row) == newest[row])
    }
}

inline write_begin() {
    d_step {
        at = (MY_ROW.slot[0].mark % 2 == 0 &&
              (MY_ROW.slot[1].mark % 2 == 1 || MY_ROW.slot[1].mark < MY_ROW.slot[0].mark) -> 1 : 0);
        number = MY_ROW.slot[1 - at].mark / 2 + 1;
#ifdef NEWEST_SLOT
        at = 1 - at;
#endif
        MY_ROW.slot[at].mark = 2 * number + 1;
        assert(NEWEST_OF(row) == newest[row])
    }
}

proctype Appender(byte id) {
    byte ticket, row, at, number;
    bool lapped;
born: {
    do
    :: tickets < TICKETS ->
#ifdef LOAD_TICKETS
        ticket = tickets + 1;
        d_step { tickets = ticket; row = ticket % ROWS; assert(!drawn[ticket]); drawn[ticket] = true };
#else
        d_step {
            tickets++; ticket = tickets; row = ticket % ROWS;
            assert(!drawn[ticket]);
            drawn[ticket] = true
        };
#endif
#ifdef COMPARE_EARLY
        lapped = MY_ROW.ticket > ticket;
#endif
        d_step { (MY_ROW.owner == 0 || MY_ROW.owner == DEAD) -> MY_ROW.owner = id };
#ifndef COMPARE_EARLY
#ifndef NOT_COMPARED
        lapped = MY_ROW.ticket > ticket;
#endif
#endif
        if
        :: lapped ->
            assert(newest[row] > ticket || died[MY_ROW.ticket]);
#ifdef KEEPS_ROW
            goto dropped
#endif
        :: else ->
#ifdef TICKET_FIRST
            store_ticket();
#endif
            write_begin();
            MY_ROW.slot[at].payload = ticket;
#ifndef TICKET_FIRST
#ifndef TICKET_LATE
            store_ticket();
#endif
#endif
            publish();
#ifdef TICKET_LATE
            store_ticket();
#endif
        fi;
        skip; /* spin does not jump into a d_step */
        MY_ROW.owner = 0;
dropped:
        skip;
        d_step { ticket = 0; row = 0; at = 0; number = 0; lapped = false }
    :: tickets >= TICKETS -> break
    od;
    ended++;
    goto end_done
} unless {
    killed[id] ->
    d_step {
        killed[id] = false;
        if
        :: ticket != 0 ->
            if :: ticket != newest[row] -> died[ticket] = true :: else fi;
            if :: MY_ROW.owner == id -> MY_ROW.owner = DEAD :: else fi;
            assert(NEWEST_OF(row) == newest[row])
        :: else
        fi;
        ticket = 0; row = 0; at = 0; number = 0; lapped = false
    };
    goto born
}
end_done:
    skip
}

proctype Checks() {
    byte ticket;
    ended == APPENDERS;
    d_step {
        ticket = tickets;
        do
        :: ticket + ROWS > tickets && ticket > 0 ->
            assert(newest[ticket % ROWS] == ticket || died[ticket]);
            ticket--
        :: else -> break
        od
    }
}

proctype Killer() {
    byte kills;
    do
    :: kills < KILLS ->
        kills++;
        if
        :: killed[1] = true
        :: killed[2] = true
#if APPENDERS > 2
        :: killed[3] = true
#endif
        fi
    :: break
    od
}

init {
    atomic {
        run Appender(1); run Appender(2);
#if APPENDERS > 2
        run Appender(3);
#endif
        run Checks(); run Killer()
    }
}
