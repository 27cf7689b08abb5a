/*
 * Types of indicator (指标) and alert, as rows of streams: what a scene publishes and a cockpit keeps. The declared fields of
 * every `…/indicator` stream are these, in this order; a test holds the city's files against the table.
 */
#ifndef HUB_INDICATOR_H
#define HUB_INDICATOR_H

#include "base/rows.h"

enum hub_indicator_field {
    HUB_INDICATOR_NAME,        /* text: "vehicles_in_transit" */
    HUB_INDICATOR_AREA,        /* text: "hangzhou.xihu" */
    HUB_INDICATOR_TIME,        /* time: the moment or the period's end */
    HUB_INDICATOR_PERIOD_MS,   /* integer: 1000 for the screen, 120000 for the record */
    HUB_INDICATOR_VALUE,       /* real; null when nothing can be said: stale is never a smooth number */
    HUB_INDICATOR_N,           /* integer: how many observations it rests on */
    HUB_INDICATOR_STALE_SINCE, /* time: since when its sources are silent; null when fresh */
    HUB_INDICATOR_BASIS,       /* text: receipt of the window of the stream it was made from, "hangzhou.log/512"; may be empty */
    HUB_INDICATOR_N_FIELDS,
    /* text: name and version of the formula that made the value, "hangzhou.traffic/1". A source may leave the field out. */
    HUB_INDICATOR_MADE_BY = HUB_INDICATOR_N_FIELDS,
    HUB_INDICATOR_USUAL, /* real: what it usually is at this time on such a day; null: not known. A source may leave it out, too */
    HUB_INDICATOR_N_FIELDS_MAX
};

/* name area time period_ms value n stale_since basis, and made_by, usual */
extern const char *const hub_indicator_field_names[HUB_INDICATOR_N_FIELDS_MAX];

/* Per directed edge, each second: for the map. */
enum hub_road_state_field {
    HUB_ROAD_STATE_EDGE,        /* text */
    HUB_ROAD_STATE_TIME,        /* time */
    HUB_ROAD_STATE_SPEED_MPS,   /* real; null: not observed lately */
    HUB_ROAD_STATE_DELAY_INDEX, /* real: actual over free-flow travel time, junction waiting included */
    HUB_ROAD_STATE_FLOW_VPH,    /* real: vehicles an hour */
    HUB_ROAD_STATE_N,           /* integer: vehicles it rests on */
    HUB_ROAD_STATE_SOURCES, /* text: "camera", "gps", whence speed and delay; "loop", the flow is a loop's. Blanks between; null: none */
    HUB_ROAD_STATE_LEVEL,   /* integer: 0 the best of the index object's levels; null: none */
    HUB_ROAD_STATE_MADE_BY, /* text: the index object and its version, "hangzhou.traffic/1" */
    HUB_ROAD_STATE_N_FIELDS
};
extern const char *const hub_road_state_field_names[HUB_ROAD_STATE_N_FIELDS]; /* in that order */

/* Per named road and area, each second: for the ranking. */
enum hub_road_index_field {
    HUB_ROAD_INDEX_ROAD, /* text: the road's name, "天目山路" */
    HUB_ROAD_INDEX_AREA, /* text */
    HUB_ROAD_INDEX_TIME, /* time */
    HUB_ROAD_INDEX_SPEED_MPS,
    HUB_ROAD_INDEX_DELAY_INDEX,
    HUB_ROAD_INDEX_FLOW_VPH,
    HUB_ROAD_INDEX_LENGTH_M, /* real: of what was observed */
    HUB_ROAD_INDEX_N,
    HUB_ROAD_INDEX_SOURCES,       /* text: as above, of any part of it */
    HUB_ROAD_INDEX_VEHICLE_KM_PH, /* real: vehicle-kilometres an hour on what was observed */
    HUB_ROAD_INDEX_LEVEL,         /* integer: 0 the best; null: none */
    HUB_ROAD_INDEX_LEVELS,        /* integer: how many there are */
    HUB_ROAD_INDEX_LEVEL_ZH,      /* text: its words */
    HUB_ROAD_INDEX_LEVEL_EN,
    HUB_ROAD_INDEX_MADE_BY,      /* text: the index object and its version */
    HUB_ROAD_INDEX_USUAL,        /* real: the delay index that it usually has at this time on such a day; null: not known */
    HUB_ROAD_INDEX_USUAL_STATE,  /* text: "learning" "usual" "slower" "faster"; null: the city learns no usual day */
    HUB_ROAD_INDEX_USUAL_SINCE,  /* time: of "slower" and "faster" */
    HUB_ROAD_INDEX_USUAL_DAYS,   /* integer: how many days are known */
    HUB_ROAD_INDEX_VEHICLES,     /* real: in transit on it (在途量), where nothing was observed too; null: not known */
    HUB_ROAD_INDEX_VEHICLES_LOW, /* real: its 90 % interval */
    HUB_ROAD_INDEX_VEHICLES_HIGH,
    HUB_ROAD_INDEX_N_FIELDS
};
extern const char
    *const hub_road_index_field_names[HUB_ROAD_INDEX_N_FIELDS]; /* road area time speed_mps delay_index flow_vph length_m n sources */

/* Per junction, every few seconds: how long a vehicle waits there. */
enum hub_junction_index_field {
    HUB_JUNCTION_INDEX_JUNCTION, /* text: its number in the network */
    HUB_JUNCTION_INDEX_TITLE,    /* text: the roads that meet, "天目山路 / 学院路" */
    HUB_JUNCTION_INDEX_AREA,     /* text */
    HUB_JUNCTION_INDEX_TIME,     /* time */
    HUB_JUNCTION_INDEX_LON,
    HUB_JUNCTION_INDEX_LAT,
    HUB_JUNCTION_INDEX_DELAY_S,     /* real: mean delay of a vehicle on the way to it, its waiting included */
    HUB_JUNCTION_INDEX_DELAY_INDEX, /* real: actual over free-flow time of what leads to it */
    HUB_JUNCTION_INDEX_N,           /* integer: vehicles it rests on */
    HUB_JUNCTION_INDEX_MADE_BY,     /* text */
    HUB_JUNCTION_INDEX_N_FIELDS
};
extern const char *const hub_junction_index_field_names[HUB_JUNCTION_INDEX_N_FIELDS]; /* in that order */

/* Per drawn zone and class of plates, each second: who is in it. A zone has states as an edge has; the indicators are the areas'. */
enum hub_zone_state_field {
    HUB_ZONE_STATE_ZONE,    /* text: its name, as in the outlines */
    HUB_ZONE_STATE_AREA,    /* text: the area whose it is */
    HUB_ZONE_STATE_CLASS,   /* text: "all" "local" "province" "other" "special", and across these "new_energy" */
    HUB_ZONE_STATE_TIME,    /* time */
    HUB_ZONE_STATE_NOW,     /* real: vehicles in it; null: not known */
    HUB_ZONE_STATE_NOW_LOW, /* real: its 90 % interval; null: not known */
    HUB_ZONE_STATE_NOW_HIGH,
    HUB_ZONE_STATE_TODAY,     /* real: different vehicles in it since midnight; null: not known */
    HUB_ZONE_STATE_TODAY_LOW, /* real: its 90 % interval; null: not known */
    HUB_ZONE_STATE_TODAY_HIGH,
    HUB_ZONE_STATE_BREACHES,      /* integer: of today, in the row of "all"; otherwise null */
    HUB_ZONE_STATE_STALE_SINCE,   /* time: since when its sources are silent; null: fresh */
    HUB_ZONE_STATE_MISSING_SINCE, /* time: since when passages of today are missing: what is of the day is what it is at least; null: none
                                   */
    HUB_ZONE_STATE_N_FIELDS
};
extern const char *const hub_zone_state_field_names[HUB_ZONE_STATE_N_FIELDS]; /* in that order */

#endif
