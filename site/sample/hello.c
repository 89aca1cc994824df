// SPDX-License-Identifier: MIT
// A program for CGI in C. By hand: cc -O2 -o cgi-bin/hello sample/hello.c
#include <stdio.h>
#include <stdlib.h>

// The client chooses what is in the query, so the characters that mean something in HTML are replaced.
static void write_escaped(const char *text)
{
    for (; *text != '\0'; ++text) {
        switch (*text) {
            case '&': fputs("&amp;", stdout); break;
            case '<': fputs("&lt;", stdout); break;
            case '>': fputs("&gt;", stdout); break;
            case '"': fputs("&quot;", stdout); break;
            default: putchar(*text);
        }
    }
}

static void write_variable(const char *name)
{
    const char *value = getenv(name);
    if (value != NULL) write_escaped(value);
}

int main(void)
{
    fputs("Content-Type: text/html; charset=utf-8\n"
          "Cache-Control: no-store\n"
          "\n"
          "<!doctype html>\n"
          "<html lang=\"en\">\n"
          "<head>\n"
          "<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<title>Hello</title>\n"
          "<link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\n"
          "<link rel=\"stylesheet\" href=\"/style.css\">\n"
          "</head>\n"
          "<body class=\"sample\">\n"
          "<p>Hello, <strong>", stdout);
    write_variable("REMOTE_ADDR");
    fputs("</strong>, from a program in C. Your query was <code>", stdout);
    write_variable("QUERY_STRING");
    fputs("</code>.</p>\n"
          "</body>\n"
          "</html>\n", stdout);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
