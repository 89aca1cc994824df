/* SPDX-License-Identifier: MIT
 *
 * The cache's network (page_cache in server/network.cpp) while pages are re-assigned: two cache processes, three
 * pages, requests for any of them in any order. Exhaustive search shows that
 *
 *   - a request is never sent to a cache process that keeps another page (the assertion in cache_process);
 *   - nobody waits for ever while there is work (no invalid end state), and every request is answered once.
 *
 * Two precautions make it so. What happens without them, the search finds when they are left out:
 *
 *   -DNO_RENDEZVOUS   cache_control gives the cache process its page itself and tells cache_hash_request afterwards:
 *                     the assertion fails
 *   -DNO_CACHE_HITS   the cache processes tell their hits to cache_control itself: deadlock
 *
 * That the static farm always takes is modelled by as many workers as there are requests.
 */
#define SLOTS 2
#define PAGES 3
#define REQUESTS 3
#define NONE 255

mtype = { request, assignment };

chan requests = [0] of { byte };           /* a page's number is also its hash */
chan to_cache[SLOTS] = [0] of { mtype, byte };
chan to_static = [0] of { byte, bool };    /* the page, and whether a worker must look at its file */
chan done = [0] of { byte };
chan found = [0] of { byte };
chan changes = [0] of { byte, byte };      /* the slot and its page */
chan taken = [0] of { bit };               /* the end of the extended rendezvous on `changes` */
chan hits = [0] of { byte };
chan questions = [0] of { bit };
chan answers = [0] of { bit };

byte answered = 0;

active proctype front_end()
{
    byte n, page;
    for (n : 1 .. REQUESTS) {
        select(page : 0 .. PAGES - 1);
        requests ! page
    }
}

active proctype cache_hash_request()
{
    byte slot_of[PAGES];
    byte page_in[SLOTS];
    byte page, slot;
    d_step {
        for (page : 0 .. PAGES - 1) { slot_of[page] = NONE }
        for (slot : 0 .. SLOTS - 1) { page_in[slot] = NONE }
    }
end:
    do
    :: requests ? page ->
        if
        :: slot_of[page] != NONE -> to_cache[slot_of[page]] ! request, page
        :: else -> to_static ! page, true
        fi
    :: changes ? slot, page ->
#ifndef NO_RENDEZVOUS
        to_cache[slot] ! assignment, page;
#endif
        d_step {
            if
            :: page_in[slot] != NONE -> slot_of[page_in[slot]] = NONE
            :: else
            fi;
            page_in[slot] = page;
            slot_of[page] = slot
        }
        taken ! 0
    od
}

proctype cache_process(byte me)
{
    byte mine = NONE;
    byte page;
end:
    do
    :: to_cache[me] ? assignment, page -> mine = page
    :: to_cache[me] ? request, page ->
        assert(mine == page);
        hits ! me;
        if
        :: done ! page
        :: to_static ! page, false /* the client did not take all of it at once */
        :: to_static ! page, true  /* the page is due for a look at its file */
        fi
    od
}

active proctype cache_hits()
{
    byte slot;
end:
    do
#ifndef NO_CACHE_HITS
    :: hits ? slot
#endif
    :: questions ? _ -> answers ! 0
    od
}

proctype page_worker()
{
    byte page;
    bool look;
end:
    do
    :: to_static ? page, look ->
        if
        :: look -> found ! page
        :: else
        fi;
        done ! page
    od
}

/* Whom it displaces is a matter of counts, so here it may be anybody. */
active proctype cache_control()
{
    byte slot_of[PAGES];
    byte page_in[SLOTS];
    byte page, slot;
    d_step {
        for (page : 0 .. PAGES - 1) { slot_of[page] = NONE }
        for (slot : 0 .. SLOTS - 1) { page_in[slot] = NONE }
    }
end:
    do
#ifdef NO_CACHE_HITS
    :: hits ? slot
#endif
    :: found ? page ->
        questions ! 0;
        answers ? _;
        if
        :: slot_of[page] != NONE -> slot = slot_of[page] /* the page has been compared with its file */
        :: slot_of[page] == NONE -> select(slot : 0 .. SLOTS - 1)
        :: slot_of[page] == NONE -> slot = NONE          /* it does not enter */
        fi;
        if
        :: slot != NONE ->
#ifdef NO_RENDEZVOUS
            to_cache[slot] ! assignment, page;
#endif
            changes ! slot, page;
            taken ? _;
            d_step {
                if
                :: page_in[slot] != NONE -> slot_of[page_in[slot]] = NONE
                :: else
                fi;
                page_in[slot] = page;
                slot_of[page] = slot
            }
        :: else
        fi
    od
}

active proctype back_end()
{
end:
    do
    :: done ? _ ->
        answered++;
        assert(answered <= REQUESTS)
    od
}

init {
    byte n;
    atomic {
        for (n : 0 .. SLOTS - 1) { run cache_process(n) }
        for (n : 1 .. REQUESTS) { run page_worker() }
    }
    /* Whoever stops this from being reached leaves init in no valid end state. */
    answered == REQUESTS
}
