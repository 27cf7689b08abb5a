/* A plate's group: its first character, its letter, how many places follow, what stands at its end. */
#include "system/vehicle_camera/plate.h"

#include <string.h>

#define CHARACTER_BYTES 3 /* of each Chinese one here, in UTF-8 */

static bool is_one_of(struct str character, const char *characters)
{
    for (const char *at = characters; *at != 0; at += CHARACTER_BYTES)
        if (memcmp(at, character.ptr, CHARACTER_BYTES) == 0)
            return true;
    return false;
}

static bool begins_with_one_of(struct str text, const char *characters)
{
    return text.len >= CHARACTER_BYTES && is_one_of(text, characters);
}

static bool is_of_province(struct str plate)
{
    return begins_with_one_of(plate, "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼");
}

static bool is_letter(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool are_places(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_letter(text.ptr[i]) && !(text.ptr[i] >= '0' && text.ptr[i] <= '9'))
            return false;
    return true;
}

enum err plate_locals_add(struct plate_locals *locals, struct str begin)
{
    bool is_form = is_of_province(begin) &&
                   (begin.len == CHARACTER_BYTES || (begin.len == CHARACTER_BYTES + 1 && is_letter(begin.ptr[begin.len - 1])));
    if (!is_form)
        return ERR_SYNTAX;
    if (locals->n == PLATE_LOCALS_MAX)
        return ERR_FULL;
    return str_to_c(begin, locals->begins[locals->n++], PLATE_LOCAL_BYTES);
}

/* 浙A1234警, 粤Z1234港, 使123456, WJ浙1234X, and the forces' letters. */
static bool is_special(struct str plate)
{
    struct str last = str_slice(plate, plate.len < CHARACTER_BYTES ? 0 : plate.len - CHARACTER_BYTES, CHARACTER_BYTES);
    bool has_mark = begins_with_one_of(last, "警学挂港澳领使试超临") && plate.len > 2 * CHARACTER_BYTES;
    bool is_of_forces = plate.len == 7 && is_letter(plate.ptr[0]) && is_letter(plate.ptr[1]) && are_places(plate);
    return has_mark || begins_with_one_of(plate, "使") || str_starts_with(plate, STR("WJ")) || is_of_forces;
}

struct str plate_group(const struct plate_locals *locals, struct str plate, struct str plate_class)
{
    static const char *const groups[3][2] = {
        {"local", "local_new_energy"}, {"province", "province_new_energy"}, {"other", "other_new_energy"}};
    if (locals == NULL || locals->n == 0)
        return STR_NONE;
    if (is_special(plate))
        return STR("special");
    struct str places = str_slice(plate, CHARACTER_BYTES + 1, plate.len);
    if (!is_of_province(plate) || plate.len < CHARACTER_BYTES + 1 || !is_letter(plate.ptr[CHARACTER_BYTES]) || places.len < 5 ||
        places.len > 6 || !are_places(places))
        return STR_NONE;
    int from = 2;
    for (size_t i = 0; i < locals->n; i++)
        if (str_starts_with(plate, str_from_c(locals->begins[i])))
            from = 0;
        else if (memcmp(plate.ptr, locals->begins[i], CHARACTER_BYTES) == 0 && from > 1)
            from = 1;
    bool is_new_energy = places.len == 6 || str_equal_c(plate_class, "51") || str_equal_c(plate_class, "52");
    return str_from_c(groups[from][is_new_energy]);
}
