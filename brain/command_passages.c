/* `citybrain passages CITY`: what the camera door has stored, one line a passage; no plates. With the brain down. */
#include "base/clock.h"
#include "base/mem.h"
#include "brain/city.h"
#include "brain/commands.h"
#include "system/vehicle_camera/list.h"

#include <stdio.h>

static const struct command_option options[] = {
    {"data", "DIR", "where the city keeps what it learns (default var/CITY)"}, {NULL, NULL, NULL}};

static bool print_passage(void *context, const struct passage *passage)
{
    const struct city *city = context;
    char time[40];
    wall_format_rfc3339((struct wall_time){passage->time_ms}, city->zone, time);
    return printf("%s\t" STR_FORMAT "\t" STR_FORMAT "\t%d\n", time, STR_ARG(passage->camera), STR_ARG(passage->id), passage->lane) > 0;
}

static int run_passages(const struct command_line *line)
{
    struct city city;
    struct diag diag = {""};
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    if (!diags)
        return 2;
    enum err err = city_load(line->words[0], line->values[0], diags, &city);
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "citybrain passages: %s\n", diags->diags[i].text);
    mem_free(diags);
    if (err != ERR_OK)
        return 2;
    err = vehicle_camera_list(city.data_dir, &diag, print_passage, &city);
    if (err != ERR_OK)
        fprintf(stderr, "citybrain passages: %s\n", diag.text[0] ? diag.text : err_text(err));
    city_finish(&city);
    return err == ERR_OK ? 0 : 2;
}

const struct command command_passages = {"passages", "CITY",
    "what the camera door has stored: time, camera, id, lane; no plates; with the brain stopped, as its journal has one owner", options, 1,
    1, run_passages};
