// The catalog: every resource the asker may see, and who uses it how much (docs/contract.md).
import { getJson } from './client';
import type { Named, Text } from './types';

export type FieldClass = 'open' | 'internal' | 'personal' | 'secret';
export type ContractState = 'drafted' | 'offered' | 'agreed' | 'suspended' | 'ended';

export interface Field {
  name: string;
  type: string;
  class: FieldClass;
  key: boolean;
  meaning: string;
  unit: string;
}

export interface ResourceUse {
  contract: string;
  consumer: Named;
  purpose: string;
  state: ContractState;
  today: number;
  month: number;
}

export interface Resource {
  resource: string;
  owner: Named;
  title: Text;
  kind: 'table' | 'stream' | 'command' | 'object';
  mine: boolean;
  fields: Field[];
  used_by: ResourceUse[];
}

export interface Party extends Named {
  kind: string;
}

export interface Catalog {
  resources: Resource[];
  parties: Party[]; // who could be the other side; only for those who draft contracts
}

export const readCatalog = (): Promise<Catalog> => getJson<Catalog>('/hub/v1/catalog');
