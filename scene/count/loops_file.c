/* A table of induction loops; see loops_file.h. */
#include "scene/count/loops_file.h"

#include "base/mem.h"
#include "scene/count/file.h"

#include <errno.h>
#include <string.h>

static const char unknown_edge[] = "the network has no such edge";

static void tell(struct count_loops_file *file, uint64_t line, const char *why)
{
    char text[320];
    file->n_broken++;
    file->n_unknown += why == unknown_edge;
    if (file->on_broken == NULL)
        return;
    snprintf(text, sizeof(text), "%.150s:%llu: %.120s", file->path, (unsigned long long)line, why);
    file->on_broken(file->context, text);
}

/* ---- a line ---- */

const char *count_loops_line_read(const struct road_network *network, struct str line, struct count_loop_row *ret_row)
{
    struct str from, to, arrived, edge, lane, vehicles, rest = line;
    int64_t from_ms, to_ms, arrived_ms, number = 0, n;
    if (!count_field_cut(&rest, &from) || !count_field_cut(&rest, &to) || !count_field_cut(&rest, &arrived) ||
        !count_field_cut(&rest, &edge) || !count_field_cut(&rest, &lane) || !count_field_cut(&rest, &vehicles) || rest.ptr != NULL)
        return "a loop's row has six fields";
    const char *wrong = count_time_read(from, &from_ms);
    if (wrong == NULL)
        wrong = count_time_read(to, &to_ms);
    if (wrong == NULL)
        wrong = count_time_read(arrived, &arrived_ms);
    if (wrong != NULL)
        return wrong;
    if (lane.len > 0 && (!count_digits_read(lane, &number) || number < 1 || number > UINT8_MAX))
        return "a lane is a whole number from 1 to 255, or empty";
    if (!count_digits_read(vehicles, &n))
        return "a count of vehicles is a whole number, 0 or more";
    uint32_t at = road_edge_find(network, edge);
    if (at == ROAD_NONE)
        return unknown_edge;
    enum count_loop_verdict verdict = count_loop_row_make(from_ms, to_ms, number, n, arrived_ms, ret_row);
    if (verdict != COUNT_LOOP_TAKEN)
        return count_loop_verdict_text(verdict);
    ret_row->edge = at;
    return NULL;
}

/* ---- a file ---- */

/* The next line without its end, in file->line; false at the end of the file. *ret_is_long: it was cut. */
static bool read_line(struct count_loops_file *file, struct str *ret_line, bool *ret_is_long)
{
    *ret_is_long = false;
    if (fgets(file->line, COUNT_LINE_MAX + 2, file->file) == NULL)
        return false;
    file->number++;
    size_t len = strlen(file->line);
    bool is_ended = len > 0 && file->line[len - 1] == '\n';
    *ret_line = str_trim((struct str){file->line, len});
    for (int byte = 0; !is_ended && byte != EOF && byte != '\n';) { /* the rest of it; none where a zero byte hid the end */
        byte = getc(file->file);
        *ret_is_long |= byte != EOF && byte != '\n';
    }
    return true;
}

/* The next line that is one, into `next`. */
static void look_ahead(struct count_loops_file *file)
{
    struct str line;
    bool is_long;
    while (!file->has_next && read_line(file, &line, &is_long)) {
        if (line.len == 0 && !is_long)
            continue;
        file->n_lines++;
        const char *wrong = is_long ? "the line is too long" : count_loops_line_read(file->network, line, &file->next);
        file->has_next = wrong == NULL;
        file->next_number = file->number;
        if (wrong != NULL)
            tell(file, file->number, wrong);
    }
}

enum err count_loops_file_open(struct count_loops_file *file, const char *path, struct diag *diag)
{
    struct str line = STR_NONE;
    bool is_long = false;
    file->path = path;
    file->latest_ms = INT64_MIN;
    file->line = mem_alloc(COUNT_LINE_MAX + 2);
    if (file->line == NULL)
        return ERR_NO_MEMORY;
    file->file = fopen(path, "rb");
    if (file->file == NULL)
        return diag_set(diag, err_from_errno(errno), path, 0, "cannot open: %s; mend the path", strerror(errno));
    bool is_there = read_line(file, &line, &is_long);
    if (is_there && str_starts_with(line, STR("\xef\xbb\xbf")))
        line = str_slice(line, 3, line.len);
    if (!is_there || is_long || !str_equal_c(line, COUNT_LOOPS_HEADER))
        return diag_set(diag, ERR_SYNTAX, path, 1,
            is_there ? "the first line is not \"%s\"; add it" : "the file is empty; its first line is \"%s\"", COUNT_LOOPS_HEADER);
    return ERR_OK;
}

/* The row that comes next in the order of arrivals, into `row`. */
static void take_next(struct count_loops_file *file)
{
    while (!file->has_row) {
        look_ahead(file);
        if (!file->has_next)
            return;
        file->row = file->next;
        file->row_number = file->next_number;
        file->has_next = false;
        look_ahead(file);
        int64_t arrived_ms = file->row.arrived_ms;
        bool is_first = file->latest_ms == INT64_MIN;
        if (!is_first && arrived_ms < file->latest_ms - COUNT_BACK_MAX_MS)
            tell(file, file->row_number, "it arrives more than ten minutes before the line above");
        else if ((is_first || arrived_ms > file->latest_ms + COUNT_AHEAD_MAX_MS) && file->has_next &&
                 file->next.arrived_ms < arrived_ms - COUNT_BACK_MAX_MS)
            tell(file, file->row_number, "it arrives more than an hour ahead of the lines around it");
        else
            file->has_row = true;
    }
}

bool count_loops_file_next(struct count_loops_file *file, int64_t until_ms, struct count_loop_row *ret_row)
{
    take_next(file);
    if (!file->has_row)
        return false;
    if (file->row.arrived_ms < file->latest_ms)
        file->row.arrived_ms = file->latest_ms;
    if (file->row.arrived_ms > until_ms)
        return false;
    file->latest_ms = file->row.arrived_ms;
    *ret_row = file->row;
    file->has_row = false;
    return true;
}

enum err count_loops_file_end(struct count_loops_file *file, struct diag *diag)
{
    struct count_loop_row row;
    while (count_loops_file_next(file, INT64_MAX, &row))
        continue;
    if (ferror(file->file))
        return diag_set(diag, ERR_IO, file->path, 0, "cannot read it to its end; check the disk");
    return ERR_OK;
}

void count_loops_file_close(struct count_loops_file *file)
{
    if (file->file != NULL)
        fclose(file->file);
    mem_free(file->line);
    file->file = NULL;
    file->line = NULL;
}
