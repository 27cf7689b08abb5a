/*
 * PostgreSQL's types and ours, both ways.
 */
#ifndef SYSTEM_POSTGRES_TYPES_H
#define SYSTEM_POSTGRES_TYPES_H

#include "base/clock.h"
#include "base/value.h"

/* pg_type.dat: fixed for ever */
enum postgres_oid {
    POSTGRES_BOOL = 16,
    POSTGRES_BYTEA = 17,
    POSTGRES_INT8 = 20,
    POSTGRES_INT2 = 21,
    POSTGRES_INT4 = 23,
    POSTGRES_TEXT = 25,
    POSTGRES_FLOAT4 = 700,
    POSTGRES_FLOAT8 = 701,
    POSTGRES_BPCHAR = 1042,
    POSTGRES_VARCHAR = 1043,
    POSTGRES_DATE = 1082,
    POSTGRES_TIMESTAMP = 1114,
    POSTGRES_TIMESTAMPTZ = 1184,
    POSTGRES_NUMERIC = 1700,
};

enum postgres_fit {
    POSTGRES_UNFIT,
    POSTGRES_AS_IS,
    POSTGRES_PADDED,      /* char(n) */
    POSTGRES_MOMENT,      /* compares with timestamptz */
    POSTGRES_FINE_MOMENT, /* has more digits than milliseconds: cut to three */
    POSTGRES_FINE_CIVIL,  /* the same without a zone */
};
enum postgres_fit postgres_type_fit(enum value_type type, unsigned oid, int modifier);
/* At most so many bytes in a value of varchar(n) or char(n), in any encoding of a server; INT64_MAX: the type says nothing. */
int64_t postgres_type_bytes(unsigned oid, int modifier);
/* A result's binary value. False: not of the declared type. */
bool postgres_read_value(unsigned oid, struct str bytes, enum value_type type, struct time_zone zone, struct value *ret_value) MUST_CHECK;
void postgres_write_parameter(const struct value *value, char scratch[8], const char **ret_bytes, int *ret_length);

#endif
