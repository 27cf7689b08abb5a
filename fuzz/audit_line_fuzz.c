/*
 * Lines of a database's audit over hostile bytes, in both forms: whatever comes, the names are printable UTF-8 that ends, a read has a
 * session, a role that was read and a table, and the same line read again gives the same.
 */
#include "hub/audit_line.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const char *name)
{
    size_t len = strnlen(name, HUB_AUDIT_NAME_MAX);
    assert(len < HUB_AUDIT_NAME_MAX && str_is_utf8((struct str){name, len}));
    for (size_t i = 0; i < len; i++)
        assert((unsigned char)name[i] >= 0x20 && name[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct str text = {(const char *)data + 1, size - 1};
    struct hub_audit_line line, again;
    hub_audit_line_read(data[0] & 1 ? HUB_AUDIT_SERVER_AUDIT : HUB_AUDIT_PGAUDIT, text, data[0] & 2, &line);
    hub_audit_line_read(data[0] & 1 ? HUB_AUDIT_SERVER_AUDIT : HUB_AUDIT_PGAUDIT, text, data[0] & 2, &again);
    look_at(line.role);
    look_at(line.address);
    look_at(line.database);
    look_at(line.table);
    assert(line.what != HUB_AUDIT_READ || (line.session && line.table[0]));
    assert(line.what == again.what && line.session == again.session && line.number == again.number && line.statement == again.statement &&
           strcmp(line.role, again.role) == 0 && strcmp(line.table, again.table) == 0);
    return 0;
}
