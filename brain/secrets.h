/* No secret stands in a city's files: what has a secret's form is refused wherever it stands (docs/operate.md). */
#ifndef BRAIN_SECRETS_H
#define BRAIN_SECRETS_H

#include "base/diag.h"

/* Every *.yaml below `city_dir`: private keys, and addresses with a password in them. Which keys take a password at all is their readers'
 * affair: none does. Errors in `diags`. */
void secrets_check(const char *city_dir, struct diag_list *diags);

#endif
