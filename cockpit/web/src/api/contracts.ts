// Contracts: lists, one in full, drafting, and the steps of a contract's life (docs/contract.md).
import { answer, api } from './client';
import type { Contract, ContractDraft, ContractEvent, ContractInFull, ContractStepBody, ContractStepped, UnfitContracts } from './schema';

export type { Contract, ContractDraft, ContractInFull, Side } from './schema';
export type { ContractStep as HistoryStep, ContractStepped as StepAnswer } from './schema';
export type View = 'mine' | 'to-sign' | 'in-force' | 'history';
export type ContractStep = Exclude<ContractEvent, 'expire'>; // what a person can do; a contract's time is watched by the hub

/** "hangzhou/c-17" as the parts of a path. */
function parts(name: string): { area: string; index: string } {
  const [area = '', index = ''] = name.split('/');
  return { area, index };
}

export const readContracts = (view: View): Promise<Contract[]> => answer(api.GET('/hub/v1/contracts', { params: { query: { view } } }));
export type Unfit = UnfitContracts[number];
export const readUnfit = (): Promise<UnfitContracts> => answer(api.GET('/hub/v1/contracts/unfit'));
export const readContract = (name: string): Promise<ContractInFull> => answer(api.GET('/hub/v1/contracts/{area}/{index}', { params: { path: parts(name) } }));
export const takeStep = (name: string, event: ContractStep, body: ContractStepBody = {}): Promise<ContractStepped> =>
  answer(api.POST('/hub/v1/contracts/{area}/{index}/{event}', { params: { path: { ...parts(name), event } }, body }));
export const draftContract = (body: ContractDraft): Promise<ContractStepped> => answer(api.POST('/hub/v1/contracts', { body }));
