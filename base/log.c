/* The log's lines: composed in one fixed buffer, written with one write(2). A line that is too long is cut between fields. */
#include "base/log.h"

#include "base/clock.h"

#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048 /* bytes; a line longer than a pipe's atomic write (4,096) could mix with another thread's */

static _Atomic int level_max = LOG_NOTICE;

struct line {
    char text[LOG_LINE_MAX];
    size_t len;
};

void log_set_level(enum log_level level)
{
    atomic_store(&level_max, (int)level);
}

static void put(struct line *line, char c)
{
    if (line->len < LOG_LINE_MAX - 2)
        line->text[line->len++] = c;
}

static void put_text(struct line *line, const char *text)
{
    for (; *text; text++)
        put(line, *text);
}

static void put_quoted(struct line *line, struct str s)
{
    static const char hex[] = "0123456789abcdef";
    put(line, '"');
    for (size_t i = 0; i < s.len && line->len < LOG_LINE_MAX - 16; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\') {
            put(line, '\\');
            put(line, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            put_text(line, "\\u00");
            put(line, hex[c >> 4]);
            put(line, hex[c & 15]);
        } else
            put(line, (char)c);
    }
    put(line, '"');
}

static void put_number(struct line *line, const struct log_field *field)
{
    char text[40];
    if (field->kind == LOG_KIND_INT)
        snprintf(text, sizeof(text), "%lld", (long long)field->i);
    else if (isfinite(field->r))
        snprintf(text, sizeof(text), "%.9g", field->r);
    else
        snprintf(text, sizeof(text), "null");
    put_text(line, text);
}

static void put_name(struct line *line, const char *name)
{
    put(line, ',');
    put_quoted(line, str_from_c(name));
    put(line, ':');
}

void log_write(enum log_level level, const char *part, const char *message, ...)
{
    if ((int)level > atomic_load_explicit(&level_max, memory_order_relaxed))
        return;
    struct line line = {.len = 0};
    char time_text[40];
    wall_format_rfc3339(clock_wall(clock_system()), (struct time_zone){0}, time_text);
    put_text(&line, "{\"time\":\"");
    put_text(&line, time_text);
    put_text(&line, "\",\"priority\":");
    put(&line, (char)('0' + (int)level));
    put_name(&line, "part");
    put_quoted(&line, str_from_c(part));
    put_name(&line, "message");
    put_quoted(&line, str_from_c(message));
    va_list args;
    va_start(args, message);
    for (;;) {
        struct log_field field = va_arg(args, struct log_field);
        if (field.kind == LOG_KIND_END || line.len > LOG_LINE_MAX - 256)
            break;
        put_name(&line, field.name);
        if (field.kind == LOG_KIND_STR)
            put_quoted(&line, field.s);
        else
            put_number(&line, &field);
    }
    va_end(args);
    line.text[line.len++] = '}';
    line.text[line.len++] = '\n';
    /* Nobody is told when the log itself cannot be written: there is no one left to tell. */
    ssize_t written = write(STDERR_FILENO, line.text, line.len);
    (void)written;
}
