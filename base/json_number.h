/*
 * A double as JSON text, inside of base/ only: the shortest digits that read back as the same double, laid out as ECMAScript does
 * (ECMA-262, Number::toString), which is what RFC 8785 §3.2.2.3 asks for.
 */
#ifndef BASE_JSON_NUMBER_H
#define BASE_JSON_NUMBER_H

#include <stddef.h>

#define JSON_NUMBER_MAX 40

/* Writes the finite `r` (an assertion) into `out`, NUL-terminated; returns its length. */
size_t json_number_format(double r, char out[JSON_NUMBER_MAX]);

#endif
