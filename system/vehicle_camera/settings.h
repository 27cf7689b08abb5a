/*
 * What a city's file says about the door: `connection:` of the system's file and `passages_kept` of city.yaml.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_SETTINGS_H
#define SYSTEM_VEHICLE_CAMERA_SETTINGS_H

#include "hub/system.h"
#include "system/vehicle_camera/plate.h"

#define SETTINGS_PATH_MAX 512

struct settings {
    char realm[64];
    char password_path[SETTINGS_PATH_MAX];
    char zone_text[16];
    struct time_zone zone;
    int64_t silent_after_ms, accept_future_ms, accept_past_ms, kept_ms;
    int64_t n_repeats;
    struct plate_locals locals; /* none: plates have no group */
    bool status_as_integer;
    bool needs_standard;
};

enum err settings_read(
    const struct hub_system_env *env, struct yaml_node system, struct diag_list *diags, struct settings *ret_settings) MUST_CHECK;

/* The cameras' passwords: a line that is one word is the password of all; a line "DEVICE PASSWORD" is one camera's own. Blank lines and
 * lines that begin with # say nothing. */
struct passwords;
/* Makes the file with one random password when there is none (mode 0600). */
enum err passwords_load(const char *path, struct diag_list *diags, struct passwords **ret_passwords) MUST_CHECK;
void passwords_destroy(struct passwords *passwords); /* takes NULL; wipes */
/* False: this device has none. Borrowed. Any thread. */
bool passwords_find(const struct passwords *passwords, struct str device, struct str *ret_password) MUST_CHECK;

#endif
