// Contracts: lists, one in full, drafting, and the steps of a contract's life (docs/contract.md).
import type { ContractState, Field } from './catalog';
import { getJson, postJson } from './client';
import type { Text } from './types';

export type View = 'mine' | 'to-sign' | 'in-force' | 'history';
export type ContractStep = 'change' | 'offer' | 'sign' | 'suspend' | 'resume' | 'revoke' | 'withdraw' | 'confirm';
export type Side = 'provider' | 'consumer' | 'hub' | 'nobody';

export interface Signed {
  signed: boolean;
  time: number | null;
}

export interface Contract {
  contract: string;
  provider: string;
  provider_title: Text;
  consumer: string;
  consumer_title: Text;
  resource: string;
  resource_title: Text;
  kind: 'table' | 'stream' | 'command' | 'object';
  uses: string[];
  fields: string[];
  rows: string;
  purpose: string;
  legal_basis: Text;
  per_second: number | null;
  per_day: number | null;
  per_month: number | null;
  min_subjects: number | null;
  from_ms: number | null;
  until_ms: number | null;
  fresh_for_ms: number | null;
  fresh_until_ms: number | null;
  keep_ms: number | null;
  state: ContractState;
  made: 'here' | 'file';
  side: Side;
  drafter: Side;
  suspended_by: Side;
  provider_signed: Signed;
  consumer_signed: Signed;
  today: number;
  month: number;
  may: ContractStep[];
  sha256: string;
}

export interface HistoryStep {
  time: number;
  event: ContractStep | 'draft' | 'expire' | 'file';
  by: Side;
  party: string;
  person: string;
  state: ContractState;
  receipt: string | null;
}

export interface ContractInFull extends Contract {
  resource_fields: Field[];
  history: HistoryStep[];
}

export interface StepAnswer {
  contract: string;
  state: ContractState;
  receipt: string | null;
}

export const readContracts = (view: View): Promise<Contract[]> => getJson('/hub/v1/contracts', { view });
export const readContract = (name: string): Promise<ContractInFull> => getJson(`/hub/v1/contracts/${name}`);
export const takeStep = (name: string, step: ContractStep, body: unknown = {}): Promise<StepAnswer> => postJson(`/hub/v1/contracts/${name}/${step}`, body);
export const draftContract = (body: unknown): Promise<StepAnswer> => postJson('/hub/v1/contracts', body);
