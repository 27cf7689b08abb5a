// When the city's day began, by the brain's clock and the city's zone.
import { dayStart } from '../format/time';
import { nowAtBrain } from '../state/city';
import { zone } from './figure';

export const dayBegan = (): number => dayStart(Math.floor(nowAtBrain()), zone());
