/*
 * The answers of GA/T 1400: ResponseStatusObject, its list, SystemTimeObject. Bytes only.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_ANSWER_H
#define SYSTEM_VEHICLE_CAMERA_ANSWER_H

#include "base/json.h"
#include "system/vehicle_camera/passage.h"

#define ANSWER_MEDIA_TYPE "application/VIID+JSON;charset=utf-8"
#define ANSWER_ONE_MAX 4096
#define ANSWER_LIST_MAX (8u << 20) /* 10,000 statuses of the longest words and ids */

struct answer_form {
    struct str url; /* the request's path; borrowed */
    bool status_as_integer;
    char local_time[15]; /* yyyyMMddHHmmss */
};

void answer_one(const struct answer_form *form, struct str id, enum viid_status status, struct str text, struct buf *out);
void answer_time(const struct answer_form *form, const char *zone_text, struct buf *out);

/* A list, written object by object. Failures stick in the buf. */
struct answer_list {
    struct json_writer writer;
    const struct answer_form *form;
};
void answer_list_begin(struct answer_list *list, const struct answer_form *form, struct buf *out);
void answer_list_ok(struct answer_list *list, struct str id);
void answer_list_add(struct answer_list *list, struct str id, enum viid_status status, struct str text);
enum err answer_list_err(const struct answer_list *list) MUST_CHECK;
void answer_list_end(struct answer_list *list);

#endif
