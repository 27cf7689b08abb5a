// Who used my data (docs/mydata.md): a citizen's own uses, each with its receipt, and objecting to one.
import { answer, api } from './client';
import type { MyUses } from './schema';

export type { MyUse, MyUses } from './schema';

export const readMyUses = (before?: string): Promise<MyUses> => answer(api.GET('/hub/v1/uses/mine', { params: { query: before ? { before } : {} } }));
export const objectTo = (receipt: string, what: string): Promise<{ id: number }> => answer(api.POST('/case/v1/objection', { body: { receipt, what } }));
