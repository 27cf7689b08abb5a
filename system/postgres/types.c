/*
 * PostgreSQL's types and ours, both ways, in PostgreSQL's binary form (big-endian; the server's functions named …recv and …send).
 *
 * Results come as the column's own type and are read by that; parameters go as bigint (integers and times), double precision, boolean, text
 * and bytea, and the statement's text casts them to what the column needs. So a column's index is used as it is.
 */
#include "system/postgres/types.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define EPOCH_MS INT64_C(946684800000)    /* 2000-01-01 UTC, from which PostgreSQL counts, in ours */
#define FIRST_MS INT64_C(-62135596800000) /* year 1 */
#define LAST_MS INT64_C(253402300799999)  /* year 9999 */
#define DAY_MS INT64_C(86400000)

/* ---- reading ---- */

static int64_t read_signed(const char *bytes, int length)
{
    uint64_t value = bytes[0] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < length; i++)
        value = value << 8 | (unsigned char)bytes[i];
    return (int64_t)value;
}

static bool read_real(const char *bytes, int length, double *ret)
{
    uint64_t bits = (uint64_t)read_signed(bytes, length);
    if (length == 4) {
        uint32_t half = (uint32_t)bits;
        float single;
        memcpy(&single, &half, sizeof single);
        *ret = (double)single;
    } else {
        memcpy(ret, &bits, sizeof *ret);
    }
    return isfinite(*ret);
}

/* numeric: groups of four decimal digits, the first worth 10000^weight; as text, so that a real is rounded once. */
static bool read_numeric(const char *bytes, int length, enum value_type type, struct value *ret)
{
    enum { HEAD = 8, MINUS = 0x4000, GROUPS_MAX = 100 /* any double has fewer digits */, WEIGHT_MAX = 1000 };
    char text[1 + 4 * GROUPS_MAX + 32];
    int n = 0;
    if (length < HEAD)
        return false;
    int n_groups = (int)read_signed(bytes, 2), weight = (int)read_signed(bytes + 2, 2), sign = (int)read_signed(bytes + 4, 2);
    if ((sign != 0 && sign != MINUS) || n_groups < 0 || length != HEAD + 2 * n_groups) /* NaN, infinities, or no number at all */
        return false;
    if (sign == MINUS)
        text[n++] = '-';
    for (int i = 0; i < n_groups && i < GROUPS_MAX; i++) {
        int group = (int)read_signed(bytes + HEAD + 2 * i, 2);
        if (group < 0 || group > 9999)
            return false;
        n += snprintf(text + n, 5, "%04d", group);
    }
    if (n_groups == 0) {
        text[n++] = '0';
        weight = 0;
    }
    int power = 4 * (weight + 1 - (n_groups ? n_groups < GROUPS_MAX ? n_groups : GROUPS_MAX : 1));
    if (type == VALUE_REAL) {
        if (weight > WEIGHT_MAX || weight < -WEIGHT_MAX)
            return false;
        snprintf(text + n, sizeof text - (size_t)n, "e%d", power);
        return str_to_double(str_from_c(text), &ret->r) == ERR_OK;
    }
    for (; power > 0 && n < 32; power--) /* zeros at the end are not sent */
        text[n++] = '0';
    for (; power < 0 && n > 0 && text[n - 1] == '0'; power++)
        n--;
    return power == 0 && n_groups <= 6 && str_to_i64((struct str){text, (size_t)n}, &ret->i) == ERR_OK;
}

static bool in_years(int64_t ms)
{
    return ms >= FIRST_MS && ms <= LAST_MS;
}

/* Microseconds since 2000; with a zone's offset when they are of a civil time. Rounded down, as everywhere. */
static bool read_moment(const char *bytes, int64_t offset_ms, int64_t *ret_ms)
{
    int64_t us = read_signed(bytes, 8);
    if (us == INT64_MAX || us == INT64_MIN) /* 'infinity' */
        return false;
    int64_t ms = us / 1000 - (us % 1000 < 0);
    if (ms > LAST_MS)
        return false;
    *ret_ms = ms + EPOCH_MS - offset_ms;
    return in_years(*ret_ms);
}

static bool read_date(const char *bytes, int64_t offset_ms, int64_t *ret_ms)
{
    int64_t day = read_signed(bytes, 4);
    if (day == INT32_MAX || day == INT32_MIN)
        return false;
    *ret_ms = day * DAY_MS + EPOCH_MS - offset_ms;
    return in_years(*ret_ms);
}

static bool read_text(struct str bytes, bool is_padded, struct value *ret)
{
    while (is_padded && bytes.len && bytes.ptr[bytes.len - 1] == ' ')
        bytes.len--;
    ret->s = bytes;
    return str_is_utf8(bytes);
}

bool postgres_read_value(unsigned oid, struct str bytes, enum value_type type, struct time_zone zone, struct value *ret_value)
{
    struct value value = {.type = type};
    int64_t offset_ms = INT64_C(1000) * zone.offset_s;
    int length = (int)bytes.len;
    bool is_number = type == VALUE_INTEGER || type == VALUE_REAL;
    bool fits = false;
    switch (oid) {
    case POSTGRES_BOOL:
        fits = type == VALUE_BOOLEAN && length == 1 && (bytes.ptr[0] & ~1) == 0;
        value.i = fits ? bytes.ptr[0] : 0;
        break;
    case POSTGRES_INT2:
    case POSTGRES_INT4:
    case POSTGRES_INT8:
        fits = (is_number || type == VALUE_TIME) && length == (oid == POSTGRES_INT2 ? 2 : oid == POSTGRES_INT4 ? 4 : 8);
        value.i = fits ? read_signed(bytes.ptr, length) : 0;
        if (type == VALUE_TIME)
            fits = fits && in_years(value.i);
        else if (type == VALUE_REAL)
            value.r = (double)value.i;
        break;
    case POSTGRES_FLOAT4:
    case POSTGRES_FLOAT8:
        fits = type == VALUE_REAL && length == (oid == POSTGRES_FLOAT4 ? 4 : 8) && read_real(bytes.ptr, length, &value.r);
        break;
    case POSTGRES_NUMERIC:
        fits = is_number && read_numeric(bytes.ptr, length, type, &value);
        break;
    case POSTGRES_TEXT:
    case POSTGRES_VARCHAR:
    case POSTGRES_BPCHAR:
        fits = type == VALUE_TEXT && read_text(bytes, oid == POSTGRES_BPCHAR, &value);
        break;
    case POSTGRES_BYTEA:
        fits = type == VALUE_BYTES;
        value.s = bytes;
        break;
    case POSTGRES_TIMESTAMPTZ:
    case POSTGRES_TIMESTAMP:
        fits = type == VALUE_TIME && length == 8 && read_moment(bytes.ptr, oid == POSTGRES_TIMESTAMP ? offset_ms : 0, &value.i);
        break;
    case POSTGRES_DATE:
        fits = type == VALUE_TIME && length == 4 && read_date(bytes.ptr, offset_ms, &value.i);
        break;
    default:
        break;
    }
    if (fits)
        *ret_value = value;
    return fits;
}

/* ---- writing ---- */

void postgres_write_parameter(const struct value *value, char scratch[8], const char **ret_bytes, int *ret_length)
{
    uint64_t bits = 0;
    *ret_bytes = scratch;
    *ret_length = 8;
    switch (value->type) {
    case VALUE_NULL:
        *ret_bytes = NULL;
        *ret_length = 0;
        return;
    case VALUE_BOOLEAN:
        scratch[0] = value->i != 0;
        *ret_length = 1;
        return;
    case VALUE_TEXT:
    case VALUE_BYTES:
        *ret_bytes = value->s.len ? value->s.ptr : "";
        *ret_length = (int)value->s.len;
        return;
    case VALUE_REAL:
        memcpy(&bits, &value->r, sizeof bits);
        break;
    case VALUE_INTEGER:
    case VALUE_TIME:
        bits = (uint64_t)value->i;
        break;
    }
    for (int i = 0; i < 8; i++)
        scratch[i] = (char)(bits >> (56 - 8 * i));
}

/* ---- a column's type against the field's ---- */

enum postgres_fit postgres_type_fit(enum value_type type, unsigned oid, int modifier)
{
    enum { PLAIN_SCALE = 4 }; /* a type modifier counts from here */
    switch (type) {
    case VALUE_BOOLEAN:
        return oid == POSTGRES_BOOL ? POSTGRES_AS_IS : POSTGRES_UNFIT;
    case VALUE_INTEGER:
        if (oid == POSTGRES_NUMERIC) /* whole numbers only: numeric(18), numeric(18,0) */
            return modifier >= PLAIN_SCALE && ((modifier - PLAIN_SCALE) & 0x7ff) == 0 ? POSTGRES_AS_IS : POSTGRES_UNFIT;
        return oid == POSTGRES_INT2 || oid == POSTGRES_INT4 || oid == POSTGRES_INT8 ? POSTGRES_AS_IS : POSTGRES_UNFIT;
    case VALUE_REAL:
        return oid == POSTGRES_FLOAT4 || oid == POSTGRES_FLOAT8 || oid == POSTGRES_NUMERIC || oid == POSTGRES_INT2 || oid == POSTGRES_INT4
                   ? POSTGRES_AS_IS
                   : POSTGRES_UNFIT;
    case VALUE_TEXT:
        if (oid == POSTGRES_BPCHAR)
            return POSTGRES_PADDED;
        return oid == POSTGRES_TEXT || oid == POSTGRES_VARCHAR ? POSTGRES_AS_IS : POSTGRES_UNFIT;
    case VALUE_TIME:
        if (oid == POSTGRES_INT8)
            return POSTGRES_AS_IS;
        if (oid == POSTGRES_TIMESTAMPTZ || oid == POSTGRES_TIMESTAMP) /* the modifier is the digits of its second, -1 for six */
            return modifier >= 0 && modifier <= 3 ? POSTGRES_MOMENT
                   : oid == POSTGRES_TIMESTAMPTZ  ? POSTGRES_FINE_MOMENT
                                                  : POSTGRES_FINE_CIVIL;
        return oid == POSTGRES_DATE ? POSTGRES_MOMENT : POSTGRES_UNFIT;
    case VALUE_BYTES:
        return oid == POSTGRES_BYTEA ? POSTGRES_AS_IS : POSTGRES_UNFIT;
    case VALUE_NULL:
        break;
    }
    return POSTGRES_UNFIT;
}

int64_t postgres_type_bytes(unsigned oid, int modifier)
{
    enum { HEAD = 4, BYTES_OF_A_CHARACTER = 4 }; /* VARHDRSZ; UTF-8, EUC and the like */
    bool has_length = (oid == POSTGRES_VARCHAR || oid == POSTGRES_BPCHAR) && modifier > HEAD;
    return has_length ? (int64_t)(modifier - HEAD) * BYTES_OF_A_CHARACTER : INT64_MAX;
}
