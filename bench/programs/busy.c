// SPDX-License-Identifier: MIT
// A CGI program that keeps the server occupied until its client leaves: it waits, streams a line ten times a second, or
// computes, as its query says. It ends by itself after two minutes.

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void say(const char* text)
{
    const size_t size = strlen(text);
    if (write(1, text, size) != (ssize_t)size) exit(1);
}

int main(void)
{
    const char* query = getenv("QUERY_STRING");
    const struct timespec tenth = {.tv_nsec = 100000000};
    alarm(120);
    say("Content-Type: text/plain\r\n\r\nbegun\n");
    if (query != NULL && strcmp(query, "compute") == 0)
        for (volatile unsigned long i = 0;; ++i) {
        }
    if (query != NULL && strcmp(query, "stream") == 0)
        for (;; nanosleep(&tenth, NULL)) say("a line of the stream\n");
    for (;;) pause();
}
