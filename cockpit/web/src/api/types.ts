// Short names for parts of the interface's schemas (schema.ts is generated from the brain's own description). Times are milliseconds since 1970.
import type { Areas, History, LiveIndicators, Person, PartyTitle, Place, Ranking, RoadStates, Sources, ValueState, ZoneStates } from './schema';

export type { History, Indicator, Junctions, PartyTitle, Ranking, RoadStates, Sources, Text, Why, ZoneStates } from './schema';
export type { LiveRecorded as Recorded } from './schema';

export type Session = Person;
export type Role = Person['roles'][number]; // kept apart (GB/T 39477): nobody has two
export type LonLat = Place;
export type State = ValueState;
export type Area = Areas[number];
export type Named = PartyTitle;
export type Point = History['points'][number];
export type LiveValue = LiveIndicators['indicators'][number]; // of an area, without its titles
export type RoadRank = Ranking['roads'][number];
export type EdgeState = RoadStates['edges'][number]; // edge, speed m/s, delay index, vehicles an hour, level of speed; null where nothing was observed lately
export type Source = Sources['sources'][number];
export type ZoneState = ZoneStates['zones'][number]; // a drawn zone: who is in it, by class of plates
export type ZoneClass = ZoneState['classes'][number]['class'];
export type Health = Source['health'];
export type Detail = NonNullable<Source['detail']>; // why a source is not fresh: a code of hub/detail.h, said by `detail.CODE` of the words
