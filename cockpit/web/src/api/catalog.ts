// The catalog: every resource the asker may see, and who uses it how much (docs/contract.md).
import { answer, api } from './client';
import type { Catalog, Field } from './schema';

export type { Catalog, ContractState, Field } from './schema';
export type Resource = Catalog['resources'][number];
export type Party = Catalog['parties'][number]; // who could be the other side; only for those who draft contracts
export type FieldClass = Field['class'];

export const readCatalog = (): Promise<Catalog> => answer(api.GET('/hub/v1/catalog'));
