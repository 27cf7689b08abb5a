/* Reading a line of an audit. */
#include "hub/audit_line.h"

#include <stdio.h>
#include <string.h>

const char *const hub_audit_forms[] = {"pgaudit", "server_audit", NULL};

/* ---- texts ---- */

/* What is no printable UTF-8 becomes "?": these names reach screens and logs. */
static void put_name(struct str text, char out[HUB_AUDIT_NAME_MAX])
{
    size_t n = text.len < HUB_AUDIT_NAME_MAX - 1 ? text.len : HUB_AUDIT_NAME_MAX - 1;
    while (n < text.len && n > 0 && ((unsigned char)text.ptr[n] & 0xc0) == 0x80)
        n--; /* no half of a character */
    bool is_utf8 = str_is_utf8(str_slice(text, 0, n));
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        out[i] = c < 0x20 || c == 0x7f || (c >= 0x80 && !is_utf8) ? '?' : (char)c;
    }
    out[n] = '\0';
}

static bool read_number(struct str text, uint64_t *ret)
{
    return text.len <= 20 && str_to_u64(text, ret) == ERR_OK;
}

static bool read_hex32(struct str text, uint64_t *ret)
{
    uint64_t value = 0;
    if (text.len < 1 || text.len > 8)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret = value;
    return true;
}

uint64_t hub_audit_session_read(struct str text)
{
    struct str head, tail;
    uint64_t start, process;
    if (!str_cut(text, '.', &head, &tail) || !read_hex32(head, &start) || !read_hex32(tail, &process))
        return 0;
    return start << 32 | process;
}

/* ---- PostgreSQL's jsonlog: a flat object of texts and numbers ---- */

#define MESSAGE_MAX                                                                                                                        \
    1024 /* of a message what stands before the statement; the table's name is at most 2 × 63 bytes, each maybe doubled twice */

struct scan { /* a place in a line */
    const char *at, *end;
};

static bool take(struct scan *scan, char c)
{
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

static void put_utf8(uint32_t code, char *out, size_t size, size_t *n)
{
    char bytes[4];
    size_t len = 0;
    if (code < 0x80) {
        bytes[len++] = (char)code;
    } else if (code < 0x800) {
        bytes[len++] = (char)(0xc0 | code >> 6);
        bytes[len++] = (char)(0x80 | (code & 63));
    } else {
        bytes[len++] = (char)(0xe0 | code >> 12);
        bytes[len++] = (char)(0x80 | (code >> 6 & 63));
        bytes[len++] = (char)(0x80 | (code & 63));
    }
    for (size_t i = 0; i < len && *n < size; i++)
        out[(*n)++] = bytes[i];
}

/* After the backslash. PostgreSQL escapes control characters only, never a surrogate. */
static bool unescape(struct scan *scan, char *out, size_t size, size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (scan->at == scan->end)
        return false;
    char c = *scan->at++;
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        put_utf8((unsigned char)to[found - from], out, size, n);
        return true;
    }
    if (c != 'u' || scan->end - scan->at < 4)
        return false;
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        char digit = *scan->at++;
        uint64_t value;
        if (digit >= 'A' && digit <= 'F')
            digit = (char)(digit - 'A' + 'a');
        if (!read_hex32((struct str){&digit, 1}, &value))
            return false;
        code = code << 4 | (uint32_t)value;
    }
    put_utf8(code, out, size, n);
    return true;
}

/* A text, of which the first `size` bytes go to `out`. False: it does not end here. */
static bool take_text(struct scan *scan, char *out, size_t size, struct str *ret)
{
    size_t n = 0;
    bool is_ended = false;
    if (!take(scan, '"'))
        return false;
    while (!is_ended && scan->at < scan->end) {
        char c = *scan->at++;
        is_ended = c == '"';
        if (c == '\\') {
            if (!unescape(scan, out, size, &n))
                break;
        } else if (!is_ended && n < size) {
            out[n++] = c;
        }
    }
    *ret = (struct str){out, n};
    return is_ended;
}

static bool take_plain(struct scan *scan, struct str *ret)
{
    const char *from = scan->at;
    while (scan->at < scan->end && *scan->at != ',' && *scan->at != '}')
        scan->at++;
    *ret = (struct str){from, (size_t)(scan->at - from)};
    return ret->len > 0 && ret->ptr[0] != '{' && ret->ptr[0] != '[';
}

/* The next field of a comma-separated list, unquoted: what pgaudit writes. */
static bool take_field(struct scan *scan, char *out, size_t size, struct str *ret)
{
    size_t n = 0;
    bool is_quoted = take(scan, '"');
    while (scan->at < scan->end) {
        char c = *scan->at;
        if (is_quoted && c == '"' && scan->at + 1 < scan->end && scan->at[1] == '"')
            scan->at++;
        else if (is_quoted ? c == '"' : c == ',')
            break;
        if (n < size)
            out[n++] = c;
        scan->at++;
    }
    *ret = (struct str){out, n};
    return (!is_quoted || take(scan, '"')) && take(scan, ',');
}

/* "AUDIT: OBJECT,1,1,READ,SELECT,TABLE,public.vehicle,<not logged>,<not logged>": kind, statement, part of it, class, command, type,
 * name; then text and parameters of the statement, which nobody looks at. */
static void read_audit(struct str message, struct hub_audit_line *line)
{
    enum { KIND, STATEMENT, PART, CLASS, COMMAND, TYPE, NAME, N_FIELDS };
    char room[N_FIELDS][2 * HUB_AUDIT_NAME_MAX];
    struct str fields[N_FIELDS];
    struct scan scan = {message.ptr + 7, message.ptr + message.len};
    for (size_t i = 0; i < N_FIELDS; i++)
        if (!take_field(&scan, room[i], sizeof room[i], &fields[i])) {
            line->what = HUB_AUDIT_UNREADABLE;
            return;
        }
    bool is_known = str_equal_c(fields[KIND], "OBJECT") || str_equal_c(fields[KIND], "SESSION");
    if (!is_known || !read_number(fields[STATEMENT], &line->statement) || line->session == 0)
        line->what = HUB_AUDIT_UNREADABLE;
    else if (str_equal_c(fields[CLASS], "READ") && !str_is_empty(fields[NAME]))
        line->what = HUB_AUDIT_READ;
    put_name(fields[NAME], line->table);
}

static void read_jsonlog(struct str text, bool is_cut, struct hub_audit_line *line)
{
    struct scan scan = {text.ptr, text.ptr + text.len};
    char name_room[32], value_room[MESSAGE_MAX], message_room[MESSAGE_MAX];
    struct str name, value, message = STR_NONE;
    bool is_worker = false, is_whole = take(&scan, '{');
    while (is_whole) {
        is_whole = take_text(&scan, name_room, sizeof name_room, &name) && take(&scan, ':');
        if (!is_whole)
            break;
        bool is_message = str_equal_c(name, "message");
        char *room = is_message ? message_room : value_room;
        if (scan.at < scan.end && *scan.at == '"')
            is_whole = take_text(&scan, room, MESSAGE_MAX, &value);
        else
            is_whole = take_plain(&scan, &value);
        if (is_message)
            message = value; /* a cut one too: its beginning is what counts */
        else if (is_whole && str_equal_c(name, "session_id"))
            line->session = hub_audit_session_read(value);
        else if (is_whole && str_equal_c(name, "line_num"))
            is_whole = read_number(value, &line->number);
        else if (is_whole && str_equal_c(name, "user"))
            put_name(value, line->role);
        else if (is_whole && str_equal_c(name, "dbname"))
            put_name(value, line->database);
        else if (is_whole && str_equal_c(name, "remote_host"))
            put_name(value, line->address);
        else if (is_whole && str_equal_c(name, "backend_type"))
            is_worker = str_equal_c(value, "parallel worker");
        if (is_whole && !take(&scan, ','))
            break;
    }
    is_whole = is_whole && take(&scan, '}') && scan.at == scan.end;
    bool is_audit = str_starts_with(message, STR("AUDIT: "));
    if (!is_whole && !(is_cut && message.ptr))
        line->what = HUB_AUDIT_UNREADABLE;
    else if (is_audit && !is_worker) /* a worker's line tells again what its leader's told */
        read_audit(message, line);
}

/* ---- MariaDB's server_audit ---- */

/* time,server,user,host,connection,query,operation,database,object,code: only numbers and operations cannot be chosen by whom it is about,
 * so a line in which they are found at two places is not read at all. */
static const char *const operations[] = {
    "READ", "WRITE", "CREATE", "ALTER", "RENAME", "DROP", "CONNECT", "DISCONNECT", "FAILED_CONNECT", "CHANGEUSER", "QUERY", NULL};

#define PARTS_MAX 512 /* commas of a line */

/* Is parts[i] a connection, followed by a query and an operation? */
static bool is_place(const struct str *parts, size_t n, size_t i, uint64_t *ret_connection, uint64_t *ret_query)
{
    if (i + 2 >= n || !read_number(parts[i], ret_connection) || !read_number(parts[i + 1], ret_query))
        return false;
    for (size_t j = 0; operations[j]; j++)
        if (str_equal_c(parts[i + 2], operations[j]))
            return true;
    return false;
}

static struct str joined(const struct str *parts, size_t from, size_t to) /* parts borrow from one text, commas between them */
{
    if (from >= to)
        return STR_NONE;
    return (struct str){parts[from].ptr, (size_t)(parts[to - 1].ptr + parts[to - 1].len - parts[from].ptr)};
}

static void read_server_audit(struct str text, bool is_cut, struct hub_audit_line *line)
{
    struct str parts[PARTS_MAX], rest = text, head;
    size_t n = 0, found = 0, n_found = 0;
    uint64_t connection, query;
    while (n < PARTS_MAX - 1 && str_cut(rest, ',', &head, &rest))
        parts[n++] = head;
    bool is_long = n == PARTS_MAX - 1;
    parts[n++] = rest;
    for (size_t i = 4; i < n; i++)
        if (is_place(parts, n, i, &connection, &query)) {
            found = i;
            n_found++;
        }
    if (is_cut || is_long || n_found != 1 || parts[0].len != 17 || n < found + 5) {
        line->what = HUB_AUDIT_UNREADABLE;
        return;
    }
    (void)is_place(parts, n, found, &line->session, &line->statement);
    put_name(joined(parts, 2, found - 1), line->role);
    put_name(parts[found - 1], line->address);
    put_name(parts[found + 3], line->database);
    put_name(joined(parts, found + 4, n - 1), line->table);
    if (str_equal_c(parts[found + 2], "READ"))
        line->what = line->session && line->table[0] ? HUB_AUDIT_READ : HUB_AUDIT_UNREADABLE;
}

void hub_audit_line_read(enum hub_audit_form form, struct str line, bool is_cut, struct hub_audit_line *ret_line)
{
    *ret_line = (struct hub_audit_line){.what = HUB_AUDIT_OTHER};
    if (line.len > HUB_AUDIT_LINE_MAX) {
        line.len = HUB_AUDIT_LINE_MAX;
        is_cut = true;
    }
    if (form == HUB_AUDIT_PGAUDIT)
        read_jsonlog(line, is_cut, ret_line);
    else
        read_server_audit(line, is_cut, ret_line);
}
