/* SPDX-License-Identifier: MIT
 *
 * A session: the process that owns a connection with several exchanges at once (server/respond/transport_test.cpp; the
 * server has no such protocol yet). Workers write responses to it and read bodies from it; its client reads all
 * responses, or all but one, which it may also withdraw. Exhaustive search over any interleaving shows that
 *
 *   - every response that is read ends, whatever the client does with the other one (init reaches its end);
 *   - nobody else waits for ever: only a worker of the exchange that the client neither reads nor withdraws.
 *
 * A piece of a response is a question, and so is the wish for a piece of a body. The session keeps at most one of each
 * for an exchange, and answers when the window of the exchange allows. So it waits for no worker and not for its client,
 * and its place in the client-server order is below the workers and the reader of its connection. Four precautions make
 * it so. The search finds a deadlock when one is left out:
 *
 *   -DSHARED_WINDOW     all responses share one window: the one that is not read uses it up
 *   -DONE_PIECE         the session takes the next piece only when it has sent the last, of whichever exchange
 *   -DUNASKED_BODIES    the session gives a worker pieces of the body that it has not asked for: the worker may be waiting
 *                       for the session
 *   -DWRITES_AND_WAITS  the session writes when the connection is full: the client may be writing too
 */
#define STREAMS 2
#define PIECES 2 /* of each response */
#define BODY 1   /* pieces of each request's body */
#define FIRST_WINDOW 1

mtype = { piece, last_piece, body_grant, grant, reset, body };

chan to_client = [1] of { mtype, byte };   /* the connection */
chan from_client = [1] of { mtype, byte };
chan notices = [0] of { mtype, byte };     /* what the client has sent */
chan pieces[2] = [0] of { byte, bool };    /* the stream, and whether it is its last piece; only [1] is written */
chan taken[STREAMS] = [0] of { bool };     /* the answer: whether to go on */
chan questions = [0] of { byte };
chan bodies[STREAMS] = [0] of { bool };    /* the answer: a piece of the body, or nothing more */

byte unread;    /* a stream, or STREAMS */
byte ended = 0; /* responses that the client has received to their end */

proctype worker(byte me)
{
    byte left = PIECES;
    byte wanted = BODY;
    bool goes_on = true;
    do
    :: goes_on && left > 0 ->
        if
        :: me == unread ->
end_p:      pieces[1] ! me, left == 1;
end_t:      taken[me] ? goes_on
        :: else ->
            pieces[1] ! me, left == 1;
            taken[me] ? goes_on
        fi;
        left--
    :: goes_on && left > 0 && wanted > 0 ->
#ifndef UNASKED_BODIES
        questions ! me;
#endif
        if
        :: me == unread ->
end_b:      bodies[me] ? goes_on
        :: else -> bodies[me] ? goes_on
        fi;
        wanted--
    :: !goes_on || left == 0 -> break
    od
}

/* The reading half of the session. */
proctype session_reader()
{
    mtype what;
    byte n;
end:
    do
    :: from_client ? what, n -> notices ! what, n
    od
}

#ifdef SHARED_WINDOW
#define window_of(n) 0
#else
#define window_of(n) n
#endif
#ifdef WRITES_AND_WAITS
#define HAS_ROOM true
#else
#define HAS_ROOM nfull(to_client)
#endif
#ifdef ONE_PIECE
#define takes_pieces (!held[0] && !held[1])
#else
#define takes_pieces 1
#endif

#ifdef UNASKED_BODIES
#define at_once true
#else
#define at_once false
#endif

#define SENDS(n)                                                                   \
    :: HAS_ROOM && invites[n] -> to_client ! body_grant, n; invites[n] = false     \
    :: HAS_ROOM && held[n] && window[window_of(n)] > 0 ->                          \
        if                                                                         \
        :: is_last[n] -> to_client ! last_piece, n                                 \
        :: else -> to_client ! piece, n                                            \
        fi;                                                                        \
        window[window_of(n)]--;                                                    \
        held[n] = false;                                                           \
        taken[n] ! true

proctype session()
{
    byte window[STREAMS];
    bool held[STREAMS];    /* a piece of the response */
    bool is_last[STREAMS];
    bool invites[STREAMS]; /* the client is to send a piece of the body */
    bool asked[STREAMS];   /* a worker waits for it */
    bool gone[STREAMS];
    mtype what;
    byte n;
    bool last;
    d_step {
        for (n : 0 .. STREAMS - 1) {
            window[n] = FIRST_WINDOW;
            invites[n] = at_once
        }
    }
end:
    do
    :: notices ? what, n ->
        if
        :: what == grant -> window[window_of(n)]++
        :: what == body && !gone[n] ->
#ifdef UNASKED_BODIES
            bodies[n] ! true
#else
            assert(asked[n]);
            asked[n] = false;
            bodies[n] ! true
#endif
        :: what == body && gone[n]
        :: what == reset ->
            gone[n] = true;
            invites[n] = false;
            if
            :: held[n] -> held[n] = false; taken[n] ! false
            :: else
            fi;
            if
            :: asked[n] -> asked[n] = false; bodies[n] ! false
            :: else
            fi
        fi
    :: pieces[takes_pieces] ? n, last ->
        if
        :: gone[n] -> taken[n] ! false
        :: else -> held[n] = true; is_last[n] = last
        fi
    :: questions ? n ->
        if
        :: gone[n] -> bodies[n] ! false
        :: else -> asked[n] = true; invites[n] = true
        fi
    SENDS(0)
    SENDS(1)
    od
}

proctype client()
{
    byte n;
    bit withdraws;
    select(withdraws : 0 .. 1);
end:
    do
    :: to_client ? piece, n ->
        if
        :: n != unread -> from_client ! grant, n
        :: else
        fi
    :: to_client ? last_piece, n -> ended++
    :: to_client ? body_grant, n ->
        if
        :: from_client ! body, n
        :: n == unread /* it sends nothing more either */
        fi
    :: withdraws && unread < STREAMS ->
        withdraws = false;
        from_client ! reset, unread
    od
}

init {
    byte n;
    atomic {
        select(unread : 0 .. STREAMS);
        run session();
        run session_reader();
        run client();
        for (n : 0 .. STREAMS - 1) { run worker(n) }
    }
    /* Whoever stops this from being reached leaves init in no valid end state. */
    ended == (unread < STREAMS -> STREAMS - 1 : STREAMS)
}
