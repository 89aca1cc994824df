/* SPDX-License-Identifier: MIT
 *
 * How the logs change at a reload (`put_in_force` in server/lifecycle/config.cpp, server/back_end/back_end.cpp,
 * server/log/log.cpp): each back end formats access lines and sends them in batches, and a reload gives it another
 * format and the log another destination. Exhaustive search over two cores, two reloads and any interleaving shows that
 *
 *   - a line goes to the destination that it was formatted for (the assertions in log);
 *   - the destination before is open for as long as a line for it may come, and no second change meets the first;
 *   - nobody waits for ever, and every line is written.
 *
 * Three precautions make it so. The search finds what happens without them:
 *
 *   -DLOG_TOLD_LAST   config tells the back ends before the log: a line comes for a destination that is not open yet
 *   -DNO_FLUSH        a back end keeps its batch when the format changes: lines of one format go to the other's log
 *   -DNO_WAIT         config does not wait until every back end has been heard: the second change meets the first
 */
#define CORES 2
#define RELOADS 2
#define LINES 2 /* of each back end */

mtype = { batch, heard }; /* what log_lines carry: access lines, or that a back end knows of a change */

chan reloads = [0] of { bit };
chan reloaded = [0] of { bit };
chan log_changes = [0] of { bit };
chan complete = [0] of { bit };
chan formats[CORES] = [0] of { bit };
chan core_lines[CORES] = [1] of { mtype, byte, byte }; /* which, its turn, and the format of the lines */
chan lines = [0] of { mtype, byte, byte };

byte written = 0;

active proctype supervisor()
{
    byte n;
    for (n : 1 .. RELOADS) {
        reloads ! 0;
        reloaded ? _
    }
}

active proctype config()
{
    byte core;
end:
    do
    :: reloads ? _ ->
#ifndef LOG_TOLD_LAST
        log_changes ! 0;
#endif
        for (core : 0 .. CORES - 1) { formats[core] ! 0 }
#ifdef LOG_TOLD_LAST
        log_changes ! 0;
#endif
#ifndef NO_WAIT
        complete ? _;
#endif
        reloaded ! 0
    od
}

proctype back_end(byte me)
{
    byte turn = 0;
    byte format_of_batch;
    bool has_batch = false;
    byte answered = 0;
end:
    do
    :: formats[me] ? _ ->
#ifndef NO_FLUSH
        if
        :: has_batch ->
            core_lines[me] ! batch, turn, format_of_batch;
            has_batch = false
        :: else
        fi;
#endif
        turn++;
        core_lines[me] ! heard, turn, 0
    :: answered < LINES && !has_batch -> /* an answer is noted */
        answered++;
        format_of_batch = turn;
        has_batch = true
    :: has_batch -> /* the batch is old enough */
        core_lines[me] ! batch, turn, format_of_batch;
        has_batch = false
    od
}

proctype relay(byte me)
{
    mtype which;
    byte turn, format;
end:
    do
    :: core_lines[me] ? which, turn, format -> lines ! which, turn, format
    od
}

active proctype log()
{
    mtype which;
    byte its_turn, format;
    byte turn = 0;
    byte unaware = 0; /* back ends that have not been heard since the last change */
end:
    do
    :: log_changes ? _ ->
        assert(unaware == 0); /* there are two destinations at most */
        turn++;
        unaware = CORES
    :: lines ? which, its_turn, format ->
        if
        :: which == heard ->
            assert(its_turn == turn && unaware > 0);
            unaware--;
            if
            :: unaware == 0 ->
#ifndef NO_WAIT
                complete ! 0
#else
                skip
#endif
            :: else
            fi
        :: which == batch ->
            assert(format == its_turn);
            assert(its_turn == turn || (its_turn + 1 == turn && unaware > 0));
            written++
        fi
    od
}

init {
    byte n;
    atomic {
        for (n : 0 .. CORES - 1) {
            run back_end(n);
            run relay(n)
        }
    }
    /* Whoever stops this from being reached leaves init in no valid end state. */
    written == CORES * LINES
}
