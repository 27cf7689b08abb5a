// The brain's description of its own interface (docs/http.md), as the page shows it.
import type { Description } from '../pages/api/describe';
import { answer, api } from './client';

export const readDescription = async (): Promise<Description> => (await answer(api.GET('/docs/openapi.json'))) as unknown as Description;
