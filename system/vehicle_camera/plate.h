/*
 * What a number plate (号牌) shows by itself: where it is from, as seen from this city, and whether it is one of the green plates of
 * new-energy vehicles. A group that thousands share, so it is told openly, to those who are not told the plate. After GA 36, from memory of
 * it.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_PLATE_H
#define SYSTEM_VEHICLE_CAMERA_PLATE_H

#include "base/str.h"

#define PLATE_LOCALS_MAX 8
#define PLATE_LOCAL_BYTES 5 /* a province's character, three bytes, a letter, NUL */

/* How plates of this city begin: 浙A; 沪 where every letter of a province is the city's. None: no group is told. */
struct plate_locals {
    size_t n;
    char begins[PLATE_LOCALS_MAX][PLATE_LOCAL_BYTES];
};

/* ERR_SYNTAX: not a province's character with or without a letter; ERR_FULL. */
enum err plate_locals_add(struct plate_locals *locals, struct str begin) MUST_CHECK;

/* The group of a whole plate, without blanks and in capitals: local, province (of this one), other; each with _new_energy, by the form of
 * the plate or its class (号牌种类 51, 52); special: police, embassies, Hong Kong and Macao, forces, learners, trailers. Empty: no plate
 * that is known here. Static. */
struct str plate_group(const struct plate_locals *locals, struct str plate, struct str plate_class);

#endif
