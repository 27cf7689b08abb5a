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

export const readCatalog = async (): Promise<Resource[]> => (await getJson<{ resources: Resource[] }>('/hub/v1/catalog')).resources;
