// The decision itself: the numbered rules of docs/decide.md in their order, the first that fails denies. Pure.
import type { Limit, Question } from './form.js';

export interface Answer {
  permit: boolean;
  rule: number;
}

const reached = (count: number, limit: Limit): boolean => limit !== null && count >= limit;

function failing(question: Question): number {
  const { contract, request, now_ms, counters } = question;
  if (contract.state !== 'agreed') return 1;
  if (contract.from_ms !== null && now_ms < contract.from_ms) return 2;
  if (reached(now_ms, contract.until_ms)) return 3;
  if (reached(now_ms, contract.fresh_until_ms)) return 4;
  if (request.party !== contract.consumer) return 5;
  if (request.resource !== contract.resource) return 6;
  if (!contract.uses.includes(request.use)) return 7;
  if (request.purpose !== contract.purpose) return 8;
  if (request.fields.length === 0 || !request.fields.every((field) => contract.fields.includes(field))) return 9;
  if (reached(counters.second, contract.per_second)) return 10;
  if (reached(counters.day, contract.per_day)) return 11;
  if (reached(counters.month, contract.per_month)) return 12;
  if (contract.min_subjects !== null && (request.subjects === null || request.subjects < contract.min_subjects)) return 13;
  return 0;
}

export function decide(question: Question): Answer {
  const rule = failing(question);
  return { permit: rule === 0, rule };
}
