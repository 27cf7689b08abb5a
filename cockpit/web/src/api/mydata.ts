// Who used my data (docs/mydata.md): a citizen's own uses, each with its receipt, and objecting to one.
import { getJson, postJson } from './client';
import type { Named, Text } from './types';

export interface MyUse {
  receipt: string;
  time: number;
  use: 'call' | 'query' | 'subscribe' | 'act';
  consumer: Named;
  provider: Named;
  resource: string;
  resource_title: Text;
  contract: string;
  purpose: string;
  legal_basis: Text;
  keep_ms: number;
  may_see: string[];
}

export interface MyUses {
  time: number;
  subject: Record<string, string>;
  days: number;
  complete: boolean;
  uses: MyUse[];
  next: number | null;
}

export const readMyUses = (before?: number): Promise<MyUses> => getJson('/hub/v1/uses/mine', before ? { before } : {});
export const objectTo = (receipt: string, what: string): Promise<{ id: number }> => postJson('/case/v1/objection', { receipt, what });
