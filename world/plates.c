/* The registered vehicles that drive in the world: see plates.h. */
#include "world/plates.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static enum err parse_line(char *line, struct plate *ret_plate)
{
    struct str rest = str_trim(str_from_c(line)), plate, plate_class;
    if (!str_cut(rest, ' ', &plate, &rest) || !str_cut(rest, ' ', &plate_class, &rest))
        return ERR_SYNTAX;
    struct plate out = {0};
    if (plate.len < 4 || !str_is_utf8(plate) || str_to_c(plate, out.text, sizeof out.text) ||
        str_to_c(plate_class, out.plate_class, sizeof out.plate_class) || str_to_c(rest, out.vehicle_type, sizeof out.vehicle_type))
        return ERR_SYNTAX;
    *ret_plate = out;
    return ERR_OK;
}

enum err plates_load(const char *path, struct diag *diag, struct plates *ret_plates)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return diag_set(
            diag, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, path, 0, "cannot be read (%s); make it with tools/make_city", strerror(errno));
    struct plates plates = {0};
    uint32_t cap = 0;
    enum err err = ERR_OK;
    char line[128];
    for (int number = 1; fgets(line, sizeof line, file); number++) {
        if (plates.n == PLATES_MAX) {
            err = diag_set(diag, ERR_TOO_LARGE, path, number, "more than %u plates; keep fewer", PLATES_MAX);
            goto done;
        }
        if (plates.n == cap) {
            cap = cap ? 2 * cap : 1024;
            struct plate *grown = mem_resize(plates.plates, cap * sizeof *grown);
            if (!grown) {
                err = ERR_NO_MEMORY;
                goto done;
            }
            plates.plates = grown;
        }
        err = parse_line(line, &plates.plates[plates.n]);
        if (err) {
            (void)diag_set(diag, err, path, number, "not `plate class type`; make the file again with tools/make_city");
            goto done;
        }
        plates.n++;
    }
    if (plates.n == 0)
        err = diag_set(diag, ERR_SYNTAX, path, 0, "holds no plate; make it with tools/make_city");
done:
    (void)fclose(file);
    if (err)
        plates_finish(&plates);
    else
        *ret_plates = plates;
    return err;
}

void plates_finish(struct plates *plates)
{
    mem_free(plates->plates);
    *plates = (struct plates){0};
}

enum err plates_take(struct plates *plates, struct rng *rng, uint32_t *ret_number)
{
    if (plates->n_on_road >= plates->n - plates->n / 10)
        return ERR_FULL;
    uint32_t number = rng_below(rng, plates->n);
    while (plates->plates[number].is_on_road)
        number = rng_below(rng, plates->n);
    plates->plates[number].is_on_road = true;
    plates->n_on_road++;
    *ret_number = number;
    return ERR_OK;
}

void plates_give_back(struct plates *plates, uint32_t number)
{
    if (number >= plates->n || !plates->plates[number].is_on_road)
        return;
    plates->plates[number].is_on_road = false;
    plates->n_on_road--;
}

/* What reading machines take for one another; each letter and digit of a plate stands on the left of one pair at least. */
static char look_alike(char c, struct rng *rng)
{
    static const char *const groups[] = {"0DQ8", "1LT7", "2Z7", "3B8", "4A", "5S6", "6G8", "7T1", "8B3", "9P", "A4", "B8", "CG", "D0", "EF",
        "FE", "GC6", "HN", "JU", "KX", "L1", "MN", "NM", "P9", "Q0", "R8", "S5", "T7", "UV", "VY", "WM", "XK", "YV", "Z2"};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (groups[i][0] == c)
            return groups[i][1 + rng_below(rng, (uint32_t)strlen(groups[i]) - 1)];
    return c == '0' ? '8' : '0';
}

void plate_misread(const char *plate, struct rng *rng, char *out)
{
    struct str text = str_from_c(plate);
    (void)snprintf(out, PLATE_BYTES_MAX, "%s", plate);
    size_t first = 4; /* after the province's character, three bytes, and the city's letter */
    if (text.len <= first || text.len >= PLATE_BYTES_MAX)
        return;
    size_t at = first + rng_below(rng, (uint32_t)(text.len - first));
    out[at] = look_alike(out[at], rng);
}
