/*
 * Files of passages, read in one of two forms; which one is seen by the file's first bytes.
 *
 * As text, in the order of arrival:
 *
 *     pass_time_ms,arrive_time_ms,camera,lane,plate,confidence
 *     25200000,25200312,C00017,2,浙A12345,97
 *
 * Or binary, what `citybrain count --convert` writes (binary.c): a header with the cameras' names and 32 bytes a passage.
 *
 *     0   8 bytes  "cbpass\r\n"                    numbers are little-endian, without sign
 *     8   u32      version, 1
 *     12  u32      number of cameras
 *     16  u64      where the records begin, a multiple of 32
 *     24  u64      number of records; 2^64-1 while it is being written
 *     32           each camera's name: u8 length, bytes; then zeros up to the records
 *
 *     a record: 0  u48  arrive_time_ms
 *               6  u48  pass_time_ms
 *              12  u32  camera, its place in the header from 0
 *              16  u8   lane; 0: unknown
 *              17  u8   confidence; 255: unknown
 *              18  14   the plate, then zeros; longer than 14 bytes: 0xff, five zeros, u64 of its hash (FNV-1a)
 *
 * Both forms of the same passages give the same events. A line or record that is broken is told with its number, counted and left out.
 * Memory does not grow with the file. Not here: what a passage means, and whether times go on (file.c).
 */
#ifndef SCENE_COUNT_PASSAGES_H
#define SCENE_COUNT_PASSAGES_H

#include "base/diag.h"
#include "base/str.h"
#include "base/str_map.h"

#include <stdio.h>

#define COUNT_PASSAGES_HEADER "pass_time_ms,arrive_time_ms,camera,lane,plate,confidence"
#define COUNT_LINE_MAX 4096           /* bytes of a line; a longer one is broken */
#define COUNT_NAME_MAX 255            /* bytes of a camera's name */
#define COUNT_CAMERAS_FILE_MAX 65536u /* in one file */
#define COUNT_TIME_FILE_MAX ((int64_t)1 << 43)
#define COUNT_LANE_NONE 0
#define COUNT_CONFIDENCE_NONE 255

/* A passage as it stands in a file. */
struct count_record {
    int64_t pass_ms, arrived_ms; /* 0 to COUNT_TIME_FILE_MAX */
    uint32_t camera;             /* by number of the reading's cameras */
    uint8_t lane, confidence;
    uint64_t vehicle; /* str_hash() of the plate */
    struct str plate; /* borrowed during the call; empty where only the hash is kept */
    uint64_t line;    /* or number of the record, from 1 */
};

struct count_reading {
    /* asked; borrowed */
    struct str_map *cameras; /* the names that are known */
    bool adds_cameras;       /* a name that is not becomes known, to the map's limit */
    /* What is wrong with it, or NULL. */
    const char *(*on_record)(void *context, const struct count_record *record);
    void (*on_broken)(void *context, const char *text); /* "passages.csv:7: …"; may be NULL */
    void (*on_progress)(void *context, double share);   /* 0 to 1, about a hundred times; may be NULL */
    void *context;
    /* answered */
    uint64_t n_lines, n_broken;
    uint64_t n_unknown; /* of these broken: their camera is not known */
    /* its own */
    const char *path;
    double bytes_all, bytes_done, told_share;
};

/* Errors that end it are told in `diag`: ERR_NOT_FOUND, ERR_IO, ERR_SYNTAX (the first line or the header; a binary file that was cut off or
 * never finished), ERR_FULL (more cameras than the map takes), ERR_NO_MEMORY. "-" is standard input. */
enum err count_passages_read(struct count_reading *reading, const char *path, struct diag *diag) MUST_CHECK;
extern const char count_unknown_camera[]; /* what is wrong with a passage of a camera that is not known */
/* Tells and counts a broken line. */
void count_reading_tell(struct count_reading *reading, uint64_t line, const char *why);
/* Fields of a line, for readers of other tables, too. The next one, which ends at a comma or with the line; false when there is none. */
bool count_field_cut(struct str *rest, struct str *ret_field);
bool count_digits_read(struct str field, int64_t *ret_value);   /* digits alone, at most 18 of them, so that nothing overflows */
const char *count_time_read(struct str field, int64_t *ret_ms); /* NULL, or what is wrong with it */
/* One line of a text file without its end: fills in *ret_record, or says what is wrong. */
const char *count_line_read(struct count_reading *reading, struct str line, struct count_record *ret_record);

/* ---- the binary form, binary.c ---- */

#define COUNT_MAGIC_LEN 8
#define COUNT_RECORD_LEN 32

bool count_binary_is(const uint8_t *bytes, size_t n); /* the first COUNT_MAGIC_LEN bytes of a file */
/* `file` stands after them. As count_passages_read(). */
enum err count_binary_read(struct count_reading *reading, FILE *file, struct diag *diag) MUST_CHECK;
/* Any file of passages into the binary form; on_broken and on_progress of `reading`, borrowed, hear of the input's lines. *ret_n: records
 * written. The input is read twice, so a pipe will not do. ERR_DISK_FULL and those of reading; what was written then is refused by the
 * reader. */
enum err count_passages_convert(
    struct count_reading *reading, const char *from_path, const char *to_path, struct diag *diag, uint64_t *ret_n) MUST_CHECK;

#endif
