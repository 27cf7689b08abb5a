/* The answers' JSON (answer.h). Member order is the standard's sample's: Id, RequestURL, StatusCode, StatusString, LocalTime. */
#include "system/vehicle_camera/answer.h"

static void put_status(struct json_writer *w, const struct answer_form *form, struct str id, enum viid_status status, struct str text)
{
    char digit[2] = {(char)('0' + (int)status), 0};
    json_begin_object(w);
    json_field_str(w, "Id", id);
    json_field_str(w, "RequestURL", form->url);
    if (form->status_as_integer)
        json_field_i64(w, "StatusCode", status);
    else
        json_field_c(w, "StatusCode", digit);
    json_field_str(w, "StatusString", text);
    json_field_c(w, "LocalTime", form->local_time);
    json_end_object(w);
}

void answer_one(const struct answer_form *form, struct str id, enum viid_status status, struct str text, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_key(&w, "ResponseStatusObject");
    put_status(&w, form, id, status, text);
    json_end_object(&w);
}

void answer_time(const struct answer_form *form, const char *zone_text, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_key(&w, "SystemTimeObject");
    json_begin_object(&w);
    json_field_c(&w, "VIIDServerID", "");
    json_field_c(&w, "TimeMode", "1");
    json_field_c(&w, "LocalTime", form->local_time);
    json_field_c(&w, "TimeZone", zone_text);
    json_end_object(&w);
    json_end_object(&w);
}

void answer_list_begin(struct answer_list *list, const struct answer_form *form, struct buf *out)
{
    list->form = form;
    json_writer_init(&list->writer, out);
    json_begin_object(&list->writer);
    json_key(&list->writer, "ResponseStatusListObject");
    json_begin_object(&list->writer);
    json_key(&list->writer, "ResponseStatusObject");
    json_begin_array(&list->writer);
}

void answer_list_ok(struct answer_list *list, struct str id)
{
    put_status(&list->writer, list->form, id, VIID_STATUS_OK, STR("OK"));
}

void answer_list_add(struct answer_list *list, struct str id, enum viid_status status, struct str text)
{
    put_status(&list->writer, list->form, id, status, text);
}

enum err answer_list_err(const struct answer_list *list)
{
    return list->writer.out->err;
}

void answer_list_end(struct answer_list *list)
{
    json_end_array(&list->writer);
    json_end_object(&list->writer);
    json_end_object(&list->writer);
}
